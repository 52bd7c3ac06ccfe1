//! Works on deliveries of webhooks: each gets a verdict, and some of them a job.
//!
//! Who has claimed a delivery has it for a while; a server that dies in between loses it to the next one. The job, its
//! conversation and the verdict are written in one transaction, so that a delivery makes one job whatever is killed.

mod commands;
mod failure;
mod instructions;
mod job;
mod judge;
mod missed;
mod prompt;
mod wish;

use std::{sync::Arc, time::Duration};

use app::model::{JobId, Verdict};
use chrono::{TimeDelta, Utc};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::failure::Failure;
use crate::{
    config::Config,
    connection::Connection,
    db::deliveries::{self, Claimed},
    lifecycle::{Lifecycle, RequestRules},
};

/// How often it looks without being rung for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many deliveries one server works on at once.
const AT_ONCE: usize = 8;
/// How long one may take, and how long it is its server's: longer, so that it never has two.
const LIMIT: Duration = Duration::from_secs(90);
const LEASE: Duration = Duration::from_secs(120);
/// How often one is begun before it is given up, and the pause after the first time; doubled each time, up to the longest.
const MOST_TRIES: u32 = 9;
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// How long those that are under way may go on after a stop was asked for.
const LAST_WORK: Duration = Duration::from_secs(3);

/// What the work on deliveries needs.
pub struct Webhooks {
    lifecycle: Lifecycle,
    config: Arc<Config>,
    connection: Connection,
    rules: RequestRules,
}

/// What came of a delivery, where it is not a job.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settled {
    verdict: Verdict,
    /// Why, for people.
    detail: String,
    /// The job that it is about.
    job: Option<JobId>,
}

impl Settled {
    fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into(), job: None }
    }

    fn about(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }
}

impl Webhooks {
    pub fn new(config: Arc<Config>, lifecycle: Lifecycle, connection: Connection) -> Arc<Self> {
        let rules = RequestRules::new(&config);
        Arc::new(Self { lifecycle, config, connection, rules })
    }

    /// Works on what comes, and has GitHub deliver again what did not, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let watch = missed::Watch::new(&self.lifecycle, &self.connection, &self.config);
        tokio::join!(self.work(&stop), watch.run(&stop));
    }

    async fn work(self: &Arc<Self>, stop: &CancellationToken) {
        let queue = self.lifecycle.queue();
        let mut ring = queue.bells().listen(&queue.keys().deliveries_bell());
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (slots, ended) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Notify::new()));
        let under_way = TaskTracker::new();
        loop {
            tokio::select! {
                // One look finds all that rang before it.
                _ = ring.heard() => ring.catch_up(),
                _ = tick.tick() => {}
                // What waited for it in its thread can begin.
                () = ended.notified() => {}
                () = stop.cancelled() => break,
            }
            for (claimed, slot) in self.claim(&slots).await {
                let (this, ended) = (Arc::clone(self), Arc::clone(&ended));
                under_way.spawn(async move {
                    this.work_on(&claimed).await;
                    drop(slot);
                    ended.notify_one();
                });
            }
        }
        under_way.close();
        // One that is cut off is begun again by the next server.
        let _ = timeout(LAST_WORK, under_way.wait()).await;
    }

    /// As many deliveries as there are free slots.
    async fn claim(&self, slots: &Arc<Semaphore>) -> Vec<(Claimed, OwnedSemaphorePermit)> {
        let mut free = Vec::new();
        while let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            free.push(slot);
        }
        let Some(limit) = i64::try_from(free.len()).ok().filter(|limit| *limit > 0) else {
            return Vec::new();
        };
        match deliveries::claim(self.lifecycle.db(), limit, LEASE).await {
            Ok(claimed) => claimed.into_iter().zip(free).collect(),
            Err(error) => {
                tracing::warn!(%error, "deliveries wait until Postgres is back");
                Vec::new()
            }
        }
    }

    async fn work_on(&self, claimed: &Claimed) {
        let failure = if claimed.in_a_row > MOST_TRIES {
            Some(Failure::Final("It was begun again and again and never came to an end.".to_owned()))
        } else {
            match timeout(LIMIT, self.judge_and_settle(claimed)).await {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(failure),
                Err(_) => Some(Failure::later("It took too long")),
            }
        };
        if let Some(failure) = failure
            && let Err(error) = self.fail(claimed, failure).await
        {
            tracing::warn!(delivery.id = %claimed.id, %error, "a delivery is begun again when its lease ends");
        }
    }

    async fn judge_and_settle(&self, claimed: &Claimed) -> Result<(), Failure> {
        let Some(Settled { verdict, detail, job }) = self.judge(claimed).await? else { return Ok(()) };
        deliveries::settle(self.lifecycle.db(), claimed, verdict, &detail, job).await?;
        tracing::info!(delivery.id = %claimed.id, event = claimed.event, %verdict, detail, "a delivery was worked on");
        Ok(())
    }

    /// Puts a delivery off, or gives it up.
    async fn fail(&self, claimed: &Claimed, failure: Failure) -> sqlx::Result<()> {
        let db = self.lifecycle.db();
        let is_last = claimed.in_a_row >= MOST_TRIES;
        let (verdict, detail) = match failure {
            Failure::Later { why, until, .. } if !is_last => {
                let until = until.unwrap_or_else(|| Utc::now() + pause(claimed.in_a_row));
                tracing::warn!(delivery.id = %claimed.id, why, "a delivery is begun again later");
                let detail = format!("{why}. It is tried again.");
                return deliveries::put_off(db, claimed, until, &detail).await;
            }
            Failure::Later { why, is_limit: true, .. } => (Verdict::RateLimited, why),
            Failure::Later { why, .. } | Failure::Final(why) => (Verdict::Error, why),
        };
        tracing::warn!(delivery.id = %claimed.id, detail, "a delivery could not be worked on");
        deliveries::settle(db, claimed, verdict, &detail, None).await.map(drop)
    }
}

/// How long to wait after so many tries.
fn pause(tries: u32) -> TimeDelta {
    let factor = 1 << tries.saturating_sub(1).min(16);
    (FIRST_PAUSE * factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_up_to_a_limit() {
        assert_eq!(pause(1), FIRST_PAUSE);
        assert_eq!(pause(3), FIRST_PAUSE * 4);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
