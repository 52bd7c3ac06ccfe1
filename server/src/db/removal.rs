//! Jobs that go, with everything that belongs to them (table `jobs`): one that somebody deletes, and those of some age.

use std::time::Duration;

use app::model::{Job, JobId, JobState, Kind, Priority, UserId};
use sqlx::{PgExecutor, Result};
use uuid::Uuid;

use super::{
    JobRow,
    jobs::{jobs_from, priority_from},
    unreadable, unsigned,
};

/// A job that was deleted, with the number of its attempts.
#[derive(Clone, Debug)]
pub struct Deleted {
    pub id: JobId,
    pub attempts: u32,
    pub owner: Option<UserId>,
    pub priority: Priority,
    pub kind: Kind,
}

struct DeletedRow {
    id: Uuid,
    attempt: i32,
    created_by: Option<Uuid>,
    priority: i16,
    kind: String,
}

impl TryFrom<DeletedRow> for Deleted {
    type Error = sqlx::Error;

    fn try_from(row: DeletedRow) -> Result<Self> {
        Ok(Self {
            id: JobId::from_uuid(row.id),
            attempts: unsigned(row.attempt.into()),
            owner: row.created_by.map(UserId::from_uuid),
            priority: priority_from(row.priority),
            kind: row.kind.parse().map_err(unreadable)?,
        })
    }
}

/// Deletes a job with everything that belongs to it, unless it runs.
pub async fn delete(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<Deleted>> {
    let row = sqlx::query_as!(
        DeletedRow,
        "DELETE FROM jobs WHERE id = $1 AND state <> 'running' RETURNING id, attempt, created_by, priority, kind",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Deleted::try_from).transpose()
}

/// Which jobs a clean-up is about: of one lane or of all, in one state, and of some age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    pub lane: Option<Kind>,
    pub state: JobState,
    /// Since they ended, or were made when they have not.
    pub older_than: Duration,
}

/// How many jobs and lines of theirs a clean-up is about.
pub async fn count_stale(db: impl PgExecutor<'_>, stale: Stale) -> Result<(u64, u64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "jobs!",
                  coalesce(sum((SELECT sum(lines) FROM attempts WHERE job_id = jobs.id)), 0)::bigint AS "lines!"
           FROM jobs
           WHERE ($1::text IS NULL OR kind = $1) AND state = $2 AND state <> 'running'
             AND coalesce(finished_at, created_at) < now() - $3 * interval '1 millisecond'"#,
        stale.lane.map(Kind::as_str),
        stale.state.as_str(),
        stale.older_than.as_secs_f64() * 1000.0,
    )
    .fetch_one(db)
    .await?;
    Ok((u64::try_from(row.jobs).unwrap_or(0), u64::try_from(row.lines).unwrap_or(0)))
}

/// The oldest of the jobs that a clean-up is about.
pub async fn stale_examples(db: impl PgExecutor<'_>, stale: Stale, limit: i64) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs
         WHERE ($1::text IS NULL OR kind = $1) AND state = $2 AND state <> 'running'
           AND coalesce(finished_at, created_at) < now() - $3 * interval '1 millisecond'
         ORDER BY id LIMIT $4",
        stale.lane.map(Kind::as_str),
        stale.state.as_str(),
        stale.older_than.as_secs_f64() * 1000.0,
        limit,
    )
    .fetch_all(db)
    .await?;
    jobs_from(rows)
}

/// Deletes some of the jobs that a clean-up is about, `limit` at most.
pub async fn delete_stale(db: impl PgExecutor<'_>, stale: Stale, limit: i64) -> Result<Vec<Deleted>> {
    let rows = sqlx::query_as!(
        DeletedRow,
        "DELETE FROM jobs WHERE state = $2 AND id IN (
             SELECT id FROM jobs
             WHERE ($1::text IS NULL OR kind = $1) AND state = $2 AND state <> 'running'
               AND coalesce(finished_at, created_at) < now() - $3 * interval '1 millisecond'
             ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED
         )
         RETURNING id, attempt, created_by, priority, kind",
        stale.lane.map(Kind::as_str),
        stale.state.as_str(),
        stale.older_than.as_secs_f64() * 1000.0,
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Deleted::try_from).collect()
}
