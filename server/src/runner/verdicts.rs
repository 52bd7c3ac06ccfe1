//! The ends of attempts on their way to Postgres: those that end together go together.

use std::sync::Arc;

use app::model::Job;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::RETRY_AFTER;
use crate::{
    batch::Batcher,
    db::{
        self,
        transitions::{Outcome, Verdict},
    },
    lifecycle::Lifecycle,
};

/// How many go in one statement.
const BATCH: usize = 256;
/// One statement at a time: what ends meanwhile makes the next one larger.
const AT_ONCE: usize = 1;

/// How many attempts that have ended may wait for their verdict without a slot of their own.
const WAITING: usize = 2 * BATCH;

/// What became of a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    /// The attempt was no longer this runner's, and nothing was changed.
    TooLate,
    /// Postgres does not take it, for this reason.
    Refused(String),
}

pub(super) struct Verdicts {
    batches: Batcher<Verdict, Heard>,
    room: Arc<Semaphore>,
}

impl Verdicts {
    pub(super) fn start(lifecycle: Lifecycle, runner: String) -> Self {
        let batches = Batcher::start(BATCH, AT_ONCE, move |verdicts: Vec<Verdict>| {
            let (lifecycle, runner) = (lifecycle.clone(), runner.clone());
            async move { tell(&lifecycle, &runner, verdicts).await }
        });
        Self { batches, room: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Tells Postgres, patiently: the work is done, and only Postgres being away stands in the way. Meanwhile the heartbeat
    /// keeps the lease, and when the lease is lost all the same, the guard in the statement keeps the verdict out.
    ///
    /// The work no longer needs its slot, which the next attempt can have while this one's verdict is under way.
    pub(super) async fn tell(
        &self,
        job: &Job,
        outcome: Outcome,
        lines: u64,
        slot: OwnedSemaphorePermit,
    ) -> Heard {
        // Never closed; and if it were, the slot would only be given back later.
        let room = self.room.acquire().await;
        if room.is_ok() {
            drop(slot);
        }
        let verdict = Verdict { id: job.id, attempt: job.attempt, outcome, lines };
        let heard = self.batches.call(verdict).await;
        heard.unwrap_or_else(|| Heard::Refused("its verdict was not told".to_owned()))
    }
}

async fn tell(lifecycle: &Lifecycle, runner: &str, verdicts: Vec<Verdict>) -> Vec<Heard> {
    loop {
        match lifecycle.finish(runner, &verdicts).await {
            Ok(finished) => {
                let was_ours = |verdict: &Verdict| finished.iter().any(|owned| owned.job.id == verdict.id);
                return verdicts
                    .iter()
                    .map(|verdict| if was_ours(verdict) { Heard::Yes } else { Heard::TooLate })
                    .collect();
            }
            // One that Postgres does not take must not keep the others out.
            Err(error) if !db::is_passing(&error) => {
                if verdicts.len() == 1 {
                    return vec![Heard::Refused(format!("Postgres does not take its verdict: {error}"))];
                }
                let mut heard = Vec::with_capacity(verdicts.len());
                for verdict in verdicts {
                    heard.extend(Box::pin(tell(lifecycle, runner, vec![verdict])).await);
                }
                return heard;
            }
            Err(error) => {
                tracing::warn!(%error, verdicts = verdicts.len(), "Postgres is away; verdicts wait")
            }
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}
