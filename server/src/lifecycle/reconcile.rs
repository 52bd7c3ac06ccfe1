//! Mends what a crash left between Postgres and Redis. Every server runs it; a lock lets one of them work at a time.

use std::{collections::HashSet, time::Duration};

use app::model::{JobId, JobState, Kind, Priority};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Lifecycle;
use crate::{
    config::OutputConfig,
    db::{
        self,
        transitions::{self, Loss},
    },
    output,
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// A job that was queued this long ago and is in no list was not pushed, or Redis forgot it.
const PUSH_GRACE: Duration = Duration::from_secs(2);
/// How many ids go to Redis in one call.
const PAGE: i64 = 1000;
/// Every so many rounds, sessions and links that have run out are forgotten.
const ROUNDS_PER_SWEEP: u32 = 600;

/// Looks once a second until `stop`.
pub async fn reconcile(lifecycle: Lifecycle, output: OutputConfig, stop: CancellationToken) {
    let mut reconciler = Reconciler::new(lifecycle, output);
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = reconciler.round().await {
            tracing::warn!(error = format!("{error:#}"), "reconciling failed and is tried again");
        }
        round = (round + 1) % ROUNDS_PER_SWEEP;
        if round == 1
            && let Err(error) = db::sessions::delete_expired(&reconciler.lifecycle.db).await
        {
            tracing::warn!(%error, "old sessions could not be removed");
        }
    }
}

struct Reconciler {
    lifecycle: Lifecycle,
    output: OutputConfig,
    /// Ids that held a slot in the round before although they do not run. Between claim and start that is so for a
    /// moment; twice in a row it is a leak.
    suspects: HashSet<JobId>,
}

impl Reconciler {
    fn new(lifecycle: Lifecycle, output: OutputConfig) -> Self {
        Self { lifecycle, output, suspects: HashSet::new() }
    }

    /// One round, if no other server is at it.
    async fn round(&mut self) -> anyhow::Result<()> {
        let mut lock = self.lifecycle.db.begin().await?;
        if !db::try_lock(&mut *lock, db::Lock::Reconcile).await? {
            return Ok(());
        }
        self.lose_expired().await?;
        let mut suspects = HashSet::new();
        for lane in Kind::ALL {
            suspects.extend(self.mend_slots(*lane).await?);
            self.mend_lists(*lane).await?;
        }
        self.suspects = suspects;
        // The lock ends with its transaction, also when this process dies.
        lock.commit().await?;
        Ok(())
    }

    /// Takes attempts from runners that were not heard of, and gives the jobs to others.
    async fn lose_expired(&self) -> anyhow::Result<()> {
        let lifecycle = &self.lifecycle;
        for (job, attempt, runner) in db::attempts::expired(&lifecycle.db).await? {
            // The runner may still be alive somewhere. From here on it cannot append, so what is in the list is all that
            // will ever be there, and goes to the archive together with the verdict.
            let rest = output::close(lifecycle, job, attempt, self.output.live_for).await?;
            let mut transaction = lifecycle.db.begin().await?;
            let lost =
                transitions::lose(&mut *transaction, job, attempt, Loss::LeaseExpired, rest.total).await?;
            let Some(lost) = lost else { continue };
            if let Some(chunk) = &rest.chunk {
                db::output::store_rest(&mut *transaction, job, attempt, chunk).await?;
            }
            transaction.commit().await?;
            tracing::warn!(job.id = %job, attempt, runner, state = %lost.job.state, "the runner was lost");
            lifecycle.release(lost.job.kind, &runner, &[job]).await;
            if lost.job.state == JobState::Queued {
                lifecycle.push(&lost.job).await;
            }
            lifecycle.changed(&lost).await;
        }
        Ok(())
    }

    /// Slots held in Redis by jobs that do not run are given back; jobs that run without a slot get one. Returns the ids
    /// to look at again.
    async fn mend_slots(&self, lane: Kind) -> anyhow::Result<Vec<JobId>> {
        let Lifecycle { db, queue } = &self.lifecycle;
        let held = queue.active(lane).await?;
        let running = db::running_ids(db, lane).await?;
        let homeless: Vec<JobId> = running.iter().filter(|id| !held.contains(id)).copied().collect();
        queue.hold(lane, &homeless).await?;
        let idle = held.into_iter().filter(|id| !running.contains(id));
        let (leaked, suspects): (Vec<JobId>, Vec<JobId>) = idle.partition(|id| self.suspects.contains(id));
        if !leaked.is_empty() {
            tracing::warn!(%lane, count = leaked.len(), "slots had leaked and are free again");
            queue.release(lane, "", &leaked).await?;
        }
        Ok(suspects)
    }

    /// Pushes again what Postgres has as queued and no list holds.
    async fn mend_lists(&self, lane: Kind) -> anyhow::Result<()> {
        let Lifecycle { db, queue } = &self.lifecycle;
        if db::queued_count(db, lane).await? <= queue.waiting_count(lane).await? {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = db::queued_since(db, lane, PUSH_GRACE, after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            for priority in Priority::ALL {
                let ids: Vec<JobId> =
                    page.iter().filter(|(_, wanted)| wanted == priority).map(|(id, _)| *id).collect();
                if !ids.is_empty() {
                    queue.push(lane, *priority, &ids).await?;
                }
            }
        }
    }
}
