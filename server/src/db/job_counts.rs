//! How many jobs there are of each lane and state, for metrics.

use app::model::{JobState, Kind};
use sqlx::{PgExecutor, Result};

use super::unreadable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobCount {
    pub lane: Kind,
    pub state: JobState,
    pub jobs: i64,
}

/// Jobs that have not ended, and those that ended in the last 24 hours.
pub async fn job_counts(db: impl PgExecutor<'_>) -> Result<Vec<JobCount>> {
    let rows = sqlx::query!(
        r#"SELECT kind, state, count(*) AS "jobs!" FROM jobs
           WHERE finished_at IS NULL OR finished_at > now() - interval '24 hours' GROUP BY kind, state"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let lane = row.kind.parse().map_err(unreadable)?;
            Ok(JobCount { lane, state: row.state.parse().map_err(unreadable)?, jobs: row.jobs })
        })
        .collect()
}
