//! Table `attempts`: leases and what is known of each execution. How one ends is in `transitions`.

use std::time::Duration;

use app::model::{AgentRun, Attempt, JobId};
use sqlx::{PgExecutor, Result, types::Json};

use super::{signed, timestamp, unreadable, unsigned};

/// All attempts of a job, the latest last.
pub async fn of_job(db: impl PgExecutor<'_>, id: JobId) -> Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        r#"SELECT attempt, state, runner, started_at, finished_at, exit_code, error, commit, lines, agent AS "agent: Json<AgentRun>"
         FROM attempts WHERE job_id = $1 ORDER BY attempt"#,
        id.as_uuid(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Attempt {
                attempt: unsigned(row.attempt.into()),
                state: row.state.parse().map_err(unreadable)?,
                runner: row.runner,
                started_at: timestamp(row.started_at),
                finished_at: row.finished_at.map(timestamp),
                exit_code: row.exit_code,
                error: row.error,
                commit: row.commit,
                lines: row.lines.and_then(|lines| u64::try_from(lines).ok()),
                agent: row.agent.map(|Json(agent)| agent),
            })
        })
        .collect()
}

/// How many lines an attempt printed, once it has ended; `None` while it runs or when there is no such attempt.
pub async fn final_line_count(db: impl PgExecutor<'_>, id: JobId, attempt: u32) -> Result<Option<u64>> {
    let lines = sqlx::query_scalar!(
        "SELECT lines FROM attempts WHERE job_id = $1 AND attempt = $2 AND state <> 'running'",
        id.as_uuid(),
        signed(attempt),
    )
    .fetch_optional(db)
    .await?;
    Ok(lines.map(|lines| lines.and_then(|lines| u64::try_from(lines).ok()).unwrap_or(0)))
}

pub async fn set_commit(db: impl PgExecutor<'_>, id: JobId, attempt: u32, commit: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE attempts SET commit = $3 WHERE job_id = $1 AND attempt = $2 AND state = 'running'",
        id.as_uuid(),
        signed(attempt),
        commit,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An attempt that its runner still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub id: JobId,
    pub attempt: u32,
    /// Somebody asked for it to stop.
    pub cancel_requested: bool,
}

/// Renews the leases of all attempts of `runner` in one statement. What is missing from the answer is no longer its own.
pub async fn renew(db: impl PgExecutor<'_>, runner: &str, lease: Duration) -> Result<Vec<Held>> {
    let rows = sqlx::query!(
        r#"WITH held AS (
               SELECT job_id, attempt FROM attempts WHERE runner = $1 AND state = 'running' ORDER BY job_id FOR UPDATE
           )
           UPDATE attempts SET lease_expires_at = now() + $2 * interval '1 millisecond'
           FROM held JOIN jobs ON jobs.id = held.job_id
           WHERE attempts.job_id = held.job_id AND attempts.attempt = held.attempt
           RETURNING attempts.job_id, attempts.attempt, jobs.cancel_requested_at IS NOT NULL AS "cancel_requested!""#,
        runner,
        lease.as_secs_f64() * 1000.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Held {
            id: JobId::from_uuid(row.job_id),
            attempt: unsigned(row.attempt.into()),
            cancel_requested: row.cancel_requested,
        })
        .collect())
}

/// Whether this runner still holds this attempt.
pub async fn is_held(db: impl PgExecutor<'_>, id: JobId, attempt: u32, runner: &str) -> Result<bool> {
    let held = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM attempts WHERE job_id = $1 AND attempt = $2 AND runner = $3
                                                   AND state = 'running') AS "held!""#,
        id.as_uuid(),
        signed(attempt),
        runner,
    )
    .fetch_one(db)
    .await?;
    Ok(held)
}

/// Attempts whose lease has run out, and their runners.
pub async fn expired(db: impl PgExecutor<'_>) -> Result<Vec<(JobId, u32, String)>> {
    let rows = sqlx::query!(
        "SELECT job_id, attempt, runner FROM attempts
         WHERE state = 'running' AND lease_expires_at < now() LIMIT 1000"
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (JobId::from_uuid(row.job_id), unsigned(row.attempt.into()), row.runner))
        .collect())
}
