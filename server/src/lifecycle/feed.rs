//! What changes, as one stream for all viewers of this server.
//!
//! Events ring through Redis. In case a ring is lost, Postgres is looked at every few seconds while somebody watches, and
//! what nobody has heard of yet is announced then.

use std::{collections::HashMap, sync::Arc, time::Duration};

use app::model::{Job, JobFilter, JobId};
use bytes::Bytes;
use serde_json::json;
use tokio::{
    sync::broadcast,
    time::{MissedTickBehavior, interval},
};

use super::{Event, Lifecycle};
use crate::{
    db::{self, Visible},
    sse,
};

/// How often Postgres is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How many jobs of each group one look takes: what a board shows.
const LOOK_AT: i64 = 100;
/// Events that a viewer may be behind before it is told that it missed some.
const BACKLOG: usize = 1024;

pub struct Feed {
    news: broadcast::Sender<Arc<News>>,
}

/// An event and what viewers are sent of it, encoded once for all of them.
#[derive(Debug)]
pub struct News {
    pub event: Event,
    pub frame: Bytes,
}

impl News {
    fn new(event: Event) -> Self {
        let frame = match &event {
            Event::Job { job, .. } => sse::event("job", job),
            Event::Line { line, .. } => sse::event("line", line),
            Event::Deleted { id, .. } => sse::event("deleted", &json!({ "id": id })),
            Event::Lane { lane } => sse::event("lane", lane),
        };
        Self { event, frame }
    }
}

impl Feed {
    /// Starts listening, for as long as the process lives.
    pub fn start(lifecycle: Lifecycle) -> Arc<Self> {
        let feed = Arc::new(Self { news: broadcast::Sender::new(BACKLOG) });
        tokio::spawn(Arc::clone(&feed).listen(lifecycle));
        feed
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Arc<News>> {
        self.news.subscribe()
    }

    async fn listen(self: Arc<Self>, lifecycle: Lifecycle) {
        let mut ring = lifecycle.queue().bells().listen(&lifecycle.queue().keys().events());
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Heard::default();
        loop {
            let message = tokio::select! {
                message = ring.heard() => message,
                _ = tick.tick() => None,
            };
            if self.news.receiver_count() == 0 {
                // Whoever comes reads how things stand first.
                heard = Heard::default();
                continue;
            }
            match message {
                Some(message) => match serde_json::from_slice::<Vec<Event>>(&message) {
                    Ok(events) => events.into_iter().for_each(|event| self.announce(event, &mut heard)),
                    Err(error) => {
                        tracing::warn!(%error, "an event was not understood; is another version running?")
                    }
                },
                None => {
                    if let Err(error) = self.look(&lifecycle, &mut heard).await {
                        tracing::debug!(%error, "Postgres is away; changes are announced later");
                    }
                }
            }
        }
    }

    fn announce(&self, event: Event, heard: &mut Heard) {
        if let Event::Job { job, .. } = &event
            && !heard.is_new(job)
        {
            return;
        }
        // No viewer at the moment is fine.
        let _ = self.news.send(Arc::new(News::new(event)));
    }

    async fn look(&self, lifecycle: &Lifecycle, heard: &mut Heard) -> sqlx::Result<()> {
        let (db, all) = (lifecycle.db(), JobFilter::default());
        let mut jobs = db::waiting(db, Visible::All, &all, LOOK_AT).await?;
        jobs.extend(db::running(db, Visible::All, &all, LOOK_AT).await?);
        jobs.extend(db::finished_page(db, Visible::All, &all, None, LOOK_AT).await?);
        let missed: Vec<Job> = jobs.into_iter().filter(|job| heard.would_be_new(job)).collect();
        for job in missed {
            if let Some(owned) = db::find_owned(db, job.id).await? {
                self.announce(Event::Job { job: owned.job, owner: owned.owner }, heard);
            }
        }
        heard.forget_old();
        Ok(())
    }
}

/// The latest revision of each job that was announced, for jobs that may still come up in a look.
#[derive(Default)]
struct Heard {
    revisions: HashMap<JobId, i64>,
}

impl Heard {
    fn would_be_new(&self, job: &Job) -> bool {
        self.revisions.get(&job.id).is_none_or(|revision| *revision < job.revision)
    }

    fn is_new(&mut self, job: &Job) -> bool {
        let is_new = self.would_be_new(job);
        if is_new {
            self.revisions.insert(job.id, job.revision);
        }
        is_new
    }

    /// Ids sort by age. The oldest go when there are many more than a look can bring up; one that comes up all the same
    /// is announced once more, and its revision tells every viewer that it is old news.
    fn forget_old(&mut self) {
        const KEEP: usize = 10_000;
        if self.revisions.len() > 2 * KEEP {
            let mut ids: Vec<JobId> = self.revisions.keys().copied().collect();
            ids.sort_unstable();
            for id in &ids[..ids.len() - KEEP] {
                self.revisions.remove(id);
            }
        }
    }
}
