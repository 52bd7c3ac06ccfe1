//! The job's state machine in SQL: every change of `jobs.state` after the insert is one guarded statement in this file.
//!
//! ```text
//! queued → running → succeeded | failed | canceled        running → queued   (its runner is lost or gone)
//! queued → canceled                                        finished → queued  (somebody retries)
//! ```
//! A statement that finds the job in another state, or an attempt that is not the one named, changes nothing and returns
//! no row. The attempt number is the fence: what a runner says of an attempt that is over is not heard.

use std::time::Duration;

use app::model::{AttemptState, JobId};
use sqlx::{PgExecutor, Result};
use uuid::Uuid;

use super::{JobRow, OwnedJob, signed};

/// `queued → running` for those of `ids` that still are queued; the others were canceled, or taken by another runner.
/// The lease of each new attempt ends after `lease` unless its runner renews it.
pub async fn start(
    db: impl PgExecutor<'_>,
    ids: &[JobId],
    runner: &str,
    lease: Duration,
) -> Result<Vec<OwnedJob>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        JobRow,
        "WITH candidate AS (
             SELECT id, attempt FROM jobs WHERE id = ANY($1) AND state = 'queued' FOR UPDATE
         ), started AS (
             INSERT INTO attempts (job_id, attempt, state, runner, lease_expires_at)
             SELECT id, attempt + 1, 'running', $2, now() + $3 * interval '1 millisecond' FROM candidate
         )
         UPDATE jobs SET state = 'running', attempt = jobs.attempt + 1, started_at = now(), stage = NULL,
                         exit_code = NULL, error = NULL, cancel_requested_at = NULL, revision = revision + 1
         FROM candidate WHERE jobs.id = candidate.id
         RETURNING jobs.*",
        &ids,
        runner,
        lease.as_secs_f64() * 1000.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `Succeeded`, `Failed` or `Canceled`.
    pub state: AttemptState,
    pub exit_code: Option<i32>,
    /// Why it did not succeed, in words.
    pub error: Option<String>,
}

/// `running → succeeded | failed | canceled`. `lines` is how many lines the attempt printed; the archive holds them all.
pub async fn finish(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    runner: &str,
    outcome: &Outcome,
    lines: u64,
) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "WITH ended AS (
             UPDATE attempts SET state = $4, exit_code = $5, error = $6, lines = $7, finished_at = now()
             WHERE job_id = $1 AND attempt = $2 AND runner = $3 AND state = 'running'
             RETURNING job_id
         )
         UPDATE jobs SET state = $4, exit_code = $5, error = $6, stage = NULL, finished_at = now(),
                         revision = revision + 1
         FROM ended WHERE jobs.id = ended.job_id AND jobs.state = 'running' AND jobs.attempt = $2
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        runner,
        outcome.state.as_str(),
        outcome.exit_code,
        outcome.error,
        i64::try_from(lines).unwrap_or(i64::MAX),
    )
    .fetch_optional(db)
    .await)
}

/// Why an attempt ends without an outcome of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its lease has run out.
    LeaseExpired,
    /// Its runner stops and gives it back.
    HandedBack,
}

/// `running → queued`, or `failed` when it was the last attempt. An attempt that a runner hands back does not count as
/// tried: the job gets one more. For an expired lease the guard is the lease itself.
pub async fn lose(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    loss: Loss,
    lines: u64,
) -> Result<Option<OwnedJob>> {
    let (error, more) = match loss {
        Loss::LeaseExpired => ("The runner was lost: nothing was heard of it until the lease ran out.", 0),
        Loss::HandedBack => ("The runner was stopped and gave the job back.", 1),
    };
    one(sqlx::query_as!(
        JobRow,
        "WITH ended AS (
             UPDATE attempts SET state = 'lost', error = $3, lines = $5, finished_at = now()
             WHERE job_id = $1 AND attempt = $2 AND state = 'running'
               AND ($4 > 0 OR lease_expires_at < now())
             RETURNING job_id
         )
         UPDATE jobs SET
             state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
                          WHEN attempt < max_attempts + $4 THEN 'queued' ELSE 'failed' END,
             max_attempts = max_attempts + $4,
             queued_at = now(), stage = NULL,
             error = CASE WHEN attempt < max_attempts + $4 OR cancel_requested_at IS NOT NULL THEN NULL ELSE $3 END,
             finished_at = CASE WHEN attempt < max_attempts + $4 AND cancel_requested_at IS NULL THEN NULL
                                ELSE now() END,
             revision = revision + 1
         FROM ended WHERE jobs.id = ended.job_id AND jobs.state = 'running' AND jobs.attempt = $2
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        error,
        more,
        i64::try_from(lines).unwrap_or(i64::MAX),
    )
    .fetch_optional(db)
    .await)
}

/// `queued → canceled`.
pub async fn cancel_waiting(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET state = 'canceled', cancel_requested_at = now(), finished_at = now(), revision = revision + 1
         WHERE id = $1 AND state IN ('scheduled', 'queued', 'parked')
         RETURNING jobs.*",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await)
}

/// Asks the runner of a running job to stop it. The state changes when the runner has done so.
pub async fn request_cancel(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()), revision = revision + 1
         WHERE id = $1 AND state = 'running'
         RETURNING jobs.*",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await)
}

/// `succeeded | failed | canceled → queued`, with room for one more attempt.
pub async fn retry(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET state = 'queued', max_attempts = greatest(max_attempts, attempt + 1), queued_at = now(),
                         finished_at = NULL, exit_code = NULL, error = NULL, cancel_requested_at = NULL,
                         revision = revision + 1
         WHERE id = $1 AND state IN ('succeeded', 'failed', 'canceled')
         RETURNING jobs.*",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await)
}

/// What a running attempt is doing now; not a change of state, but guarded like one.
pub async fn set_stage(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    stage: &str,
) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET stage = $3, revision = revision + 1
         WHERE id = $1 AND attempt = $2 AND state = 'running'
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        stage,
    )
    .fetch_optional(db)
    .await)
}

fn one(row: Result<Option<JobRow>>) -> Result<Option<OwnedJob>> {
    row?.map(OwnedJob::try_from).transpose()
}
