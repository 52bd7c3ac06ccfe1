//! Agents whose quota is used up: their jobs are parked, use no attempt up, and go on by themselves.

use app::model::{ApiError, JobId, Kind, Timestamp};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Lifecycle, away, push};
use crate::db::{self, OwnedJob, transitions};

/// A time that is nearer, or has passed, is none: the agent's jobs would ask again and again.
const NEAREST: TimeDelta = TimeDelta::seconds(60);
/// No quota is longer than a week. Whatever is wrong with a time, after this one somebody asks again.
const FARTHEST: TimeDelta = TimeDelta::days(8);

impl Lifecycle {
    /// Notes that an agent's provider refuses more work until a time, where it names one, and returns when to try again.
    pub async fn quota_used_up(
        &self,
        agent: &str,
        reason: &str,
        until: Option<Timestamp>,
    ) -> sqlx::Result<Timestamp> {
        let until = until.and_then(|time| believed(time, Utc::now()));
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

/// The time that a provider names, within bounds.
fn believed(until: Timestamp, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let until = DateTime::from_timestamp_millis(until.0)?;
    (until >= now + NEAREST).then(|| until.min(now + FARTHEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_believed_when_a_quota_can_end_then() {
        let now = DateTime::from_timestamp(1_795_300_000, 0).unwrap();
        let named = |in_seconds: i64| believed(Timestamp((now.timestamp() + in_seconds) * 1000), now);
        for seconds in [-3600, 0, 59] {
            assert_eq!(named(seconds), None, "{seconds}");
        }
        assert_eq!(named(60), Some(now + TimeDelta::minutes(1)));
        assert_eq!(named(7 * 24 * 3600), Some(now + TimeDelta::days(7)));
        assert_eq!(named(1000 * 24 * 3600), Some(now + FARTHEST));
        assert_eq!(believed(Timestamp(i64::MAX), now), None);
    }
}
