//! Mends what a crash left between Postgres and Redis, and does what its time has come for. Every server runs it; a lock
//! lets one of them work at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::{JobId, Kind, Priority};
use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;

use super::{Lifecycle, RequestRules, fire_due};
use crate::{
    config::Config,
    db::{
        self, OwnedJob, QueuedJob,
        transitions::{self, Loss},
    },
    output,
    queue::{Entry, LaneLimits},
};

/// How often it looks; sooner when a job's time comes before.
const EVERY: Duration = Duration::from_secs(1);
const SOONEST: Duration = Duration::from_millis(10);
/// A job that was queued this long ago and is in no list was not pushed, or Redis forgot it.
const PUSH_GRACE: Duration = Duration::from_secs(2);
/// An id that holds a slot for this long although its job does not run has leaked it. Between claim and start that is so for
/// a moment.
const LEAK_GRACE: Duration = Duration::from_secs(2);
/// How many jobs one statement takes.
const PAGE: i64 = 1000;
/// Counting a million queued jobs takes time. The next count comes after so many times as long as the last one took.
const COUNTING_SHARE: u32 = 10;

/// Looks until `stop`.
pub async fn reconcile(lifecycle: Lifecycle, config: Arc<Config>, stop: CancellationToken) {
    let rules = RequestRules::new(&config);
    let mut reconciler = Reconciler::new(lifecycle, config);
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let began = Instant::now();
        if began.duration_since(reconciler.last_look) > 3 * EVERY {
            reconciler.calm_since = began;
        }
        pause = match reconciler.round().await {
            Ok(next) => next.clamp(SOONEST, EVERY),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "reconciling failed and is tried again");
                reconciler.calm_since = Instant::now();
                EVERY
            }
        };
        if let Err(error) = fire_due(&reconciler.lifecycle, &rules).await {
            tracing::warn!(%error, "schedules are late");
        }
        reconciler.last_look = Instant::now();
    }
}

struct Reconciler {
    lifecycle: Lifecycle,
    config: Arc<Config>,
    /// Ids that hold a slot although they do not run, and since when that is seen.
    suspects: HashMap<JobId, Instant>,
    last_look: Instant,
    /// Since when this server and Postgres have been there without a break. After one, runners first get the time to renew
    /// leases that ran out meanwhile.
    calm_since: Instant,
    next_count: Instant,
}

impl Reconciler {
    fn new(lifecycle: Lifecycle, config: Arc<Config>) -> Self {
        let now = Instant::now();
        Self { lifecycle, config, suspects: HashMap::new(), last_look: now, calm_since: now, next_count: now }
    }

    /// One round, if no other server is at it. Returns when there may be something to do.
    async fn round(&mut self) -> anyhow::Result<Duration> {
        let mut lock = self.lifecycle.db.begin().await?;
        if !db::try_lock(&mut *lock, db::Lock::Reconcile).await? {
            return Ok(EVERY);
        }
        for lane in db::lanes::resume_due(&self.lifecycle.db).await? {
            tracing::info!(%lane, "the pause is over");
            self.lifecycle.tell_lane(lane).await;
        }
        self.promote().await?;
        if self.calm_since.elapsed() > 3 * self.config.queue.heartbeat() {
            self.lose_expired().await?;
        }
        let begin = Instant::now();
        let counts = begin >= self.next_count;
        let mut settings = db::lanes::all(&self.lifecycle.db).await?;
        // All at once, so that a lane with few jobs does not wait until one with many is full again.
        let mended = Kind::ALL.iter().map(|lane| {
            let limits = self.lifecycle.limits(*lane, &settings.remove(lane).unwrap_or_default());
            self.mend_lane(*lane, limits, counts)
        });
        let suspects = try_join_all(mended).await?;
        if counts {
            self.next_count = Instant::now() + begin.elapsed() * COUNTING_SHARE;
        }
        self.suspects = suspects.into_iter().flatten().collect();
        let next = db::next_scheduled(&self.lifecycle.db).await?;
        // The lock ends with its transaction, also when this process dies.
        lock.commit().await?;
        Ok(next.map_or(EVERY, |millis| Duration::from_secs_f64(millis.clamp(0.0, 1e6) / 1000.0)))
    }

    /// Returns the ids that hold a slot and are to be looked at again.
    async fn mend_lane(
        &self,
        lane: Kind,
        limits: LaneLimits,
        counts: bool,
    ) -> anyhow::Result<HashMap<JobId, Instant>> {
        let Lifecycle { db, queue, .. } = &self.lifecycle;
        if queue.is_open(lane).await? {
            let suspects = self.mend_slots(lane).await?;
            queue.open_lane(lane, &limits).await?;
            if counts && self.lists_lack_jobs(lane).await? {
                self.fill_lists(lane, PUSH_GRACE).await?;
            }
            return Ok(suspects);
        }
        // Redis was emptied. Nothing starts before it knows again what runs and what started.
        tracing::warn!(%lane, "Redis knows nothing of the lane and is told everything again");
        let running = db::running_ids(db, lane).await?;
        queue.hold(lane, &running).await?;
        let starts = db::recent_starts(db, lane, limits.rate.into()).await?;
        queue.restore_starts(lane, &starts).await?;
        queue.open_lane(lane, &limits).await?;
        self.fill_lists(lane, Duration::ZERO).await?;
        Ok(HashMap::new())
    }

    /// Queues jobs whose time has come.
    async fn promote(&self) -> anyhow::Result<()> {
        loop {
            let queued = transitions::promote(&self.lifecycle.db, PAGE).await?;
            if queued.is_empty() {
                break;
            }
            super::push(&self.lifecycle.queue, &queued).await;
            self.lifecycle.changed(&queued).await;
        }
        Ok(self.lifecycle.queue_followers().await?)
    }

    /// Takes attempts from runners that were not heard of, and gives the jobs to others.
    async fn lose_expired(&self) -> anyhow::Result<()> {
        for (job, attempt, runner) in db::attempts::expired(&self.lifecycle.db).await? {
            let lost = match self.lose(job, attempt).await {
                // One that Postgres does not take must not be in the way of the others.
                Err(error) if error.downcast_ref().is_some_and(|error| !db::is_passing(error)) => {
                    tracing::error!(job.id = %job, attempt, %error, "a lost attempt cannot be ended");
                    continue;
                }
                lost => lost?,
            };
            if let Some(lost) = lost {
                tracing::warn!(job.id = %job, attempt, runner, state = %lost.job.state, "the runner was lost");
                self.lifecycle.release(lost.job.kind, &runner, &[job]).await;
                self.lifecycle.requeued(lost).await;
            }
        }
        Ok(())
    }

    /// The runner may still be alive somewhere. From here on it cannot append, so what is in the list is all that will ever
    /// be there, and goes to the archive together with the verdict.
    async fn lose(&self, job: JobId, attempt: u32) -> anyhow::Result<Option<OwnedJob>> {
        let lifecycle = &self.lifecycle;
        let mut rest = output::close(lifecycle, job, attempt, self.config.output.failed_live_for).await?;
        let mut transaction = lifecycle.db.begin().await?;
        while let Some(chunk) = rest.next().await? {
            db::output::store_rest(&mut *transaction, job, attempt, &chunk).await?;
        }
        let lost =
            transitions::lose(&mut *transaction, job, attempt, Loss::LeaseExpired, rest.total()).await?;
        if lost.is_some() {
            transaction.commit().await?;
        }
        Ok(lost)
    }

    /// Slots held in Redis by jobs that do not run are given back; jobs that run without a slot get one. Returns the ids
    /// to look at again.
    async fn mend_slots(&self, lane: Kind) -> anyhow::Result<HashMap<JobId, Instant>> {
        let Lifecycle { db, queue, .. } = &self.lifecycle;
        let held = queue.active(lane).await?;
        let running: HashSet<JobId> = db::running_ids(db, lane).await?.into_iter().collect();
        let homeless: Vec<JobId> = running.iter().filter(|id| !held.contains(id)).copied().collect();
        queue.hold(lane, &homeless).await?;
        let now = Instant::now();
        let idle = held.into_iter().filter(|id| !running.contains(id));
        let seen = idle.map(|id| (id, self.suspects.get(&id).copied().unwrap_or(now)));
        let (leaked, suspects): (HashMap<_, _>, HashMap<_, _>) =
            seen.partition(|(_, since)| now.duration_since(*since) >= LEAK_GRACE);
        let leaked: Vec<JobId> = leaked.into_keys().collect();
        if !leaked.is_empty() {
            tracing::warn!(%lane, count = leaked.len(), "slots had leaked and are free again");
            queue.release(lane, "", &leaked).await?;
        }
        Ok(suspects)
    }

    async fn lists_lack_jobs(&self, lane: Kind) -> anyhow::Result<bool> {
        let Lifecycle { db, queue, .. } = &self.lifecycle;
        Ok(db::queued_count(db, lane).await? > queue.waiting_count(lane).await?)
    }

    /// Pushes what Postgres has as queued; what is in the lists stays where it is.
    async fn fill_lists(&self, lane: Kind, grace: Duration) -> anyhow::Result<()> {
        let Lifecycle { db, queue, .. } = &self.lifecycle;
        let mut after = None;
        loop {
            let page = db::queued_since(db, lane, grace, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for priority in Priority::ALL {
                let entries: Vec<Entry<'_>> =
                    page.iter().filter(|job| job.priority == *priority).map(entry).collect();
                queue.push(lane, *priority, &entries).await?;
            }
        }
    }
}

fn entry(job: &QueuedJob) -> Entry<'_> {
    Entry { id: job.id, person: job.owner, repository: &job.repository }
}
