//! What waits and what runs in each lane (table `jobs`): for the lists in Redis, for the reconciler, and for whoever asks why a
//! job waits.

use std::time::Duration;

use app::model::{Job, JobId, Kind, Priority, Timestamp, UserId};
use sqlx::{PgExecutor, Result};

use super::{jobs::priority_from, timestamp, unreadable, unsigned};

/// What a lane has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneCount {
    pub kind: Kind,
    pub running: u32,
    pub queued: u32,
    /// Those that wait for a time, or for their quota.
    pub later: u32,
}

/// Every lane that has something to do.
pub async fn lane_counts(db: impl PgExecutor<'_>) -> Result<Vec<LaneCount>> {
    let rows = sqlx::query!(
        r#"SELECT kind, count(*) FILTER (WHERE state = 'running') AS "running!",
                  count(*) FILTER (WHERE state = 'queued') AS "queued!",
                  count(*) FILTER (WHERE state IN ('scheduled', 'parked')) AS "later!"
           FROM jobs WHERE finished_at IS NULL GROUP BY kind"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LaneCount {
                kind: row.kind.parse().map_err(unreadable)?,
                running: unsigned(row.running),
                queued: unsigned(row.queued),
                later: unsigned(row.later),
            })
        })
        .collect()
}

/// How many jobs of a lane are queued.
pub async fn queued_count(db: impl PgExecutor<'_>, lane: Kind) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM jobs WHERE state = 'queued' AND finished_at IS NULL AND kind = $1"#,
        lane.as_str(),
    )
    .fetch_one(db)
    .await?;
    Ok(unsigned(count).into())
}

/// A queued job as the lists in Redis know it.
#[derive(Clone, Debug)]
pub struct QueuedJob {
    pub id: JobId,
    pub priority: Priority,
    pub owner: Option<UserId>,
    pub repository: String,
}

/// Jobs of a lane that have been queued for longer than `grace`, after `after`, in id order.
pub async fn queued_since(
    db: impl PgExecutor<'_>,
    lane: Kind,
    grace: Duration,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<QueuedJob>> {
    let rows = sqlx::query!(
        "SELECT id, priority, created_by, repository FROM jobs
         WHERE state = 'queued' AND finished_at IS NULL AND kind = $1
           AND queued_at <= now() - $2 * interval '1 millisecond' AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT $4",
        lane.as_str(),
        grace.as_secs_f64() * 1000.0,
        after.as_ref().map(JobId::as_uuid),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| QueuedJob {
            id: JobId::from_uuid(row.id),
            priority: priority_from(row.priority),
            owner: row.created_by.map(UserId::from_uuid),
            repository: row.repository,
        })
        .collect())
}

/// When the next job whose time is still to come is to be queued, in milliseconds from now; negative when it is late.
pub async fn next_scheduled(db: impl PgExecutor<'_>) -> Result<Option<f64>> {
    sqlx::query_scalar!(
        r#"SELECT (extract(epoch FROM min(run_at) - now()) * 1000)::float8 FROM jobs
           WHERE finished_at IS NULL AND run_at IS NOT NULL AND state IN ('scheduled', 'parked')"#
    )
    .fetch_one(db)
    .await
}

/// When jobs of a lane started within the last minute, the oldest first, `limit` at most.
pub async fn recent_starts(db: impl PgExecutor<'_>, lane: Kind, limit: i64) -> Result<Vec<Timestamp>> {
    let starts = sqlx::query_scalar!(
        "SELECT attempts.started_at FROM attempts JOIN jobs ON jobs.id = job_id
         WHERE kind = $1 AND attempts.started_at > now() - interval '1 minute'
         ORDER BY attempts.started_at DESC LIMIT $2",
        lane.as_str(),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(starts.into_iter().rev().map(timestamp).collect())
}

/// The running jobs of a lane: what may hold a slot.
pub async fn running_ids(db: impl PgExecutor<'_>, lane: Kind) -> Result<Vec<JobId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM jobs
         WHERE id IN (SELECT job_id FROM attempts WHERE attempts.state = 'running') AND state = 'running' AND kind = $1",
        lane.as_str(),
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(JobId::from_uuid).collect())
}

/// How many queued jobs of its lane go before a queued job; counts stop at `MOST_AHEAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    pub more_urgent: u64,
    /// Of its priority, asked for earlier.
    pub earlier: u64,
    /// Of its priority, when people take turns.
    pub by_person: u64,
    /// Likewise when repositories do.
    pub by_repository: u64,
}

/// Nobody wants to know more exactly, and counting a million jobs takes time.
const MOST_AHEAD: i64 = 10_000;

pub async fn ahead(db: impl PgExecutor<'_>, job: &Job) -> Result<Ahead> {
    let row = sqlx::query!(
        r#"WITH this AS (SELECT id, kind, priority, created_by, repository FROM jobs WHERE id = $1),
           urgent AS (
               SELECT FROM jobs, this
               WHERE jobs.state = 'queued' AND jobs.finished_at IS NULL AND jobs.kind = this.kind
                 AND jobs.priority < this.priority LIMIT $2
           ), equal AS (
               SELECT jobs.id < this.id AS is_earlier, jobs.created_by, jobs.repository,
                      jobs.created_by IS NOT DISTINCT FROM this.created_by AS same_person,
                      jobs.repository = this.repository AS same_repository,
                      row_number() OVER (PARTITION BY jobs.created_by ORDER BY jobs.id) AS person_turn,
                      row_number() OVER (PARTITION BY jobs.repository ORDER BY jobs.id) AS repository_turn
               FROM (SELECT jobs.* FROM jobs, this
                     WHERE jobs.state = 'queued' AND jobs.finished_at IS NULL AND jobs.kind = this.kind
                       AND jobs.priority = this.priority ORDER BY jobs.id LIMIT $2) AS jobs, this
               WHERE jobs.id <> this.id
           ), own AS (
               SELECT count(*) FILTER (WHERE same_person AND is_earlier) AS of_person,
                      count(*) FILTER (WHERE same_repository AND is_earlier) AS of_repository FROM equal
           )
           SELECT (SELECT count(*) FROM urgent) AS "more_urgent!",
                  (SELECT count(*) FROM equal WHERE is_earlier) AS "earlier!",
                  (SELECT count(*) FROM equal, own
                   WHERE CASE WHEN same_person THEN is_earlier ELSE person_turn <= of_person + 1 END) AS "by_person!",
                  (SELECT count(*) FROM equal, own
                   WHERE CASE WHEN same_repository THEN is_earlier ELSE repository_turn <= of_repository + 1 END)
                   AS "by_repository!""#,
        job.id.as_uuid(),
        MOST_AHEAD,
    )
    .fetch_one(db)
    .await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Ahead {
        more_urgent: count(row.more_urgent),
        earlier: count(row.earlier),
        by_person: count(row.by_person),
        by_repository: count(row.by_repository),
    })
}
