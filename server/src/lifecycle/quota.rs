//! Agents whose quota is used up: their jobs are parked, use no attempt up, and go on by themselves.

use app::model::{ApiError, JobId, Kind, Timestamp};
use chrono::DateTime;

use super::{Lifecycle, away, push};
use crate::db::{self, OwnedJob, transitions};

impl Lifecycle {
    /// Notes that an agent's provider refuses more work until a time, where it names one, and returns when to try again.
    pub async fn quota_used_up(
        &self,
        agent: &str,
        reason: &str,
        until: Option<Timestamp>,
    ) -> sqlx::Result<Timestamp> {
        let until = until.and_then(|time| DateTime::from_timestamp_millis(time.0));
        let until = db::quotas::use_up(&self.db, agent, reason, until).await?;
        tracing::warn!(agent, reason, until = until.0, "the quota is used up");
        self.tell_lane(Kind::Agent).await;
        Ok(until)
    }

    /// An agent's provider answered again.
    pub async fn quota_is_there(&self, agent: &str) -> sqlx::Result<()> {
        db::quotas::is_there(&self.db, agent).await
    }

    /// Lets the parked jobs of an agent go on at once: somebody knows that there is quota again.
    pub async fn resume_agent(&self, agent: &str) -> Result<(), ApiError> {
        if !db::quotas::forget(&self.db, agent).await.map_err(away)? {
            return Err(ApiError::NotFound(format!("No jobs of `{agent}` wait for its quota.")));
        }
        let queued = transitions::unpark(&self.db, agent).await.map_err(away)?;
        push(&self.queue, &queued).await;
        self.changed(&queued).await;
        self.tell_lane(Kind::Agent).await;
        Ok(())
    }

    /// Parks those of the claimed jobs whose agent has no quota left, and returns the others.
    pub(super) async fn park(&self, lane: Kind, claimed: &[JobId], runner: &str) -> sqlx::Result<Vec<JobId>> {
        if lane != Kind::Agent {
            return Ok(claimed.to_vec());
        }
        let parked = transitions::park(&self.db, claimed).await?;
        if parked.is_empty() {
            return Ok(claimed.to_vec());
        }
        let ids: Vec<JobId> = parked.iter().map(|OwnedJob { job, .. }| job.id).collect();
        self.release(lane, runner, &ids).await;
        self.changed(&parked).await;
        Ok(claimed.iter().filter(|id| !ids.contains(id)).copied().collect())
    }
}
