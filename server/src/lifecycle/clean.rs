//! Deleting jobs: one, many of a kind, and those whose time is over.

use std::time::Duration;

use app::model::{ApiError, Cleaned, JobId, JobState, Kind};
use tokio_util::sync::CancellationToken;

use super::{Event, Lifecycle, away};
use crate::{
    config::RetentionConfig,
    db::{self, Deleted, Stale},
    output,
};

/// How many jobs go in one statement, so that nobody waits long for their rows.
const BATCH: i64 = 500;
/// How many jobs a preview shows.
const EXAMPLES: i64 = 5;

/// Whether a clean-up deletes or only counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    Preview,
    Delete,
}

impl Lifecycle {
    /// Deletes a job with its attempts and output.
    pub async fn delete(&self, id: JobId) -> Result<(), ApiError> {
        let Some(deleted) = db::delete(&self.db, id).await.map_err(away)? else {
            return Err(match db::find_owned(&self.db, id).await.map_err(away)? {
                Some(_) => ApiError::Conflict("The job runs. Cancel it first, then delete it.".to_owned()),
                None => ApiError::NotFound(format!("There is no job {id}. It may have been deleted.")),
            });
        };
        self.forget(&[deleted]).await;
        Ok(())
    }

    /// Deletes jobs of a lane in one state and of some age.
    pub async fn clean(
        &self,
        lane: Kind,
        state: JobState,
        older_than: Duration,
        cleaning: Cleaning,
    ) -> Result<Cleaned, ApiError> {
        if state == JobState::Running {
            return Err(ApiError::invalid("state", "Jobs that run are not cleaned up. Cancel them first."));
        }
        let stale = Stale { lane: Some(lane), state, older_than };
        let (jobs, lines) = db::count_stale(&self.db, stale).await.map_err(away)?;
        let examples = db::stale_examples(&self.db, stale, EXAMPLES).await.map_err(away)?;
        if cleaning == Cleaning::Preview {
            return Ok(Cleaned { state, jobs, lines, examples });
        }
        let jobs = self.delete_stale(stale).await.map_err(away)?;
        Ok(Cleaned { state, jobs, lines, examples: Vec::new() })
    }

    /// Deletes jobs that ended longer ago than they are to be kept, and then the output alone of those that stay longer.
    pub(super) async fn retain(
        &self,
        config: &RetentionConfig,
        stop: &CancellationToken,
    ) -> sqlx::Result<()> {
        if let Some(keep) = config.jobs {
            for state in JobState::ALL.iter().copied().filter(|state| state.is_finished()) {
                if stop.is_cancelled() {
                    return Ok(());
                }
                self.delete_stale(Stale { lane: None, state, older_than: keep }).await?;
            }
        }
        if let Some(keep) = config.output {
            self.delete_old_output(keep).await?;
        }
        let keys = db::idempotency::delete_old(&self.db).await?;
        if keys > 0 {
            tracing::info!(keys, "idempotency keys were forgotten");
        }
        Ok(())
    }

    /// In the place of the output a line says where it went.
    async fn delete_old_output(&self, keep: Duration) -> sqlx::Result<()> {
        let days = keep.as_secs() / (24 * 3600);
        let text =
            format!("The output was deleted after {days} days, as `output_days` under [retention] says.");
        let notice = output::notice(&text).map_err(sqlx::Error::Io)?;
        loop {
            let (attempts, bytes) = db::output::delete_old(&self.db, keep, &notice, BATCH).await?;
            if attempts == 0 {
                return Ok(());
            }
            tracing::info!(attempts, bytes, "output was deleted because its time is over");
        }
    }

    async fn delete_stale(&self, stale: Stale) -> sqlx::Result<u64> {
        let mut total = 0;
        loop {
            let deleted = db::delete_stale(&self.db, stale, BATCH).await?;
            if deleted.is_empty() {
                break;
            }
            total += deleted.len() as u64;
            self.forget(&deleted).await;
        }
        if total > 0 {
            let lane = stale.lane.map(Kind::as_str);
            tracing::info!(jobs = total, state = %stale.state, lane, older_than_s = stale.older_than.as_secs(), "jobs were deleted");
        }
        Ok(total)
    }

    /// Takes deleted jobs out of Redis and tells those who watch. What is left in Redis ends by its own time.
    async fn forget(&self, deleted: &[Deleted]) {
        let attempts: Vec<(JobId, u32)> = deleted.iter().map(|job| (job.id, job.attempts)).collect();
        let removed = async {
            for job in deleted {
                self.queue.remove(job.kind, job.priority, job.id).await?;
            }
            self.queue.forget_output(&attempts).await
        };
        if let Err(error) = removed.await {
            tracing::debug!(%error, "deleted jobs stay in Redis until their time is over");
        }
        let events: Vec<Event> =
            deleted.iter().map(|job| Event::Deleted { id: job.id, owner: job.owner }).collect();
        self.publish(&events).await;
    }
}
