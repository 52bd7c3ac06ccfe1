//! Table `jobs` (and `job_requests`): making and reading them. What changes a job's state is in `transitions`.

use std::time::Duration;

use app::model::{Figures, Job, JobFilter, JobId, JobState, Kind, Priority, Trigger, UserId};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};
use uuid::Uuid;

use super::{signed, timestamp, unreadable, unsigned};

/// A row as it is; [`Job`] is what everybody else sees.
pub struct JobRow {
    pub id: Uuid,
    pub kind: String,
    pub state: String,
    pub priority: i16,
    pub attempt: i32,
    pub max_attempts: i32,
    pub title: String,
    pub repository: String,
    pub git_ref: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub trigger: String,
    pub created_by: Option<Uuid>,
    pub requested_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub queued_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub run_at: Option<DateTime<Utc>>,
    pub stage: Option<String>,
    pub progress: Option<i16>,
    pub exit_code: Option<i32>,
    pub error: Option<String>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub revision: i64,
    pub failures: i32,
    pub losses: i32,
    pub backoff_ms: i32,
}

impl TryFrom<JobRow> for Job {
    type Error = sqlx::Error;

    fn try_from(row: JobRow) -> Result<Self> {
        Ok(Self {
            id: JobId::from_uuid(row.id),
            kind: row.kind.parse().map_err(unreadable)?,
            state: row.state.parse().map_err(unreadable)?,
            priority: priority_from(row.priority),
            attempt: unsigned(row.attempt.into()),
            max_attempts: unsigned(row.max_attempts.into()),
            title: row.title,
            repository: row.repository,
            git_ref: row.git_ref,
            agent: row.agent,
            model: row.model,
            trigger: row.trigger.parse().map_err(unreadable)?,
            created_by: row.requested_by,
            created_at: timestamp(row.created_at),
            queued_at: row.queued_at.map(timestamp),
            started_at: row.started_at.map(timestamp),
            finished_at: row.finished_at.map(timestamp),
            run_at: row.run_at.map(timestamp),
            stage: row.stage,
            progress: row.progress.and_then(|percent| u8::try_from(percent).ok()),
            exit_code: row.exit_code,
            error: row.error,
            cancel_requested: row.cancel_requested_at.is_some(),
            revision: row.revision,
        })
    }
}

/// A job and who asked for it: what decides who hears of its changes.
#[derive(Clone, Debug)]
pub struct OwnedJob {
    pub job: Job,
    pub owner: Option<UserId>,
}

impl TryFrom<JobRow> for OwnedJob {
    type Error = sqlx::Error;

    fn try_from(row: JobRow) -> Result<Self> {
        let owner = row.created_by.map(UserId::from_uuid);
        Ok(Self { job: row.try_into()?, owner })
    }
}

/// `ALL` lists priorities from the most urgent on, and so do the numbers in the table.
fn priority_from(number: i16) -> Priority {
    usize::try_from(number)
        .ok()
        .and_then(|index| Priority::ALL.get(index))
        .copied()
        .unwrap_or(Priority::Normal)
}

fn jobs_from(rows: Vec<JobRow>) -> Result<Vec<Job>> {
    rows.into_iter().map(Job::try_from).collect()
}

/// Whose jobs a person may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visible {
    All,
    Of(UserId),
}

impl Visible {
    fn owner(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Of(user) => Some(*user.as_uuid()),
        }
    }
}

/// A checked request for a job.
#[derive(Clone, Debug)]
pub struct NewJobRow<'a> {
    pub id: JobId,
    pub kind: Kind,
    pub priority: Priority,
    pub max_attempts: u32,
    pub title: &'a str,
    pub repository: &'a str,
    pub git_ref: Option<&'a str>,
    pub agent: Option<&'a str>,
    pub model: Option<&'a str>,
    pub trigger: Trigger,
    pub created_by: UserId,
    pub requested_by: &'a str,
    pub script: Option<&'a str>,
    pub prompt: Option<&'a str>,
}

/// Makes a job, already `queued`: the row must be committed before its id goes to Redis.
pub async fn insert(db: impl PgExecutor<'_>, new: &NewJobRow<'_>) -> Result<OwnedJob> {
    sqlx::query_as!(
        JobRow,
        "WITH request AS (INSERT INTO job_requests (job_id, script, prompt) VALUES ($1, $13, $14))
         INSERT INTO jobs (id, kind, state, priority, max_attempts, title, repository, git_ref, agent, model,
                           trigger, created_by, requested_by, queued_at)
         VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())
         RETURNING *",
        new.id.as_uuid(),
        new.kind.as_str(),
        new.priority as i16,
        signed(new.max_attempts),
        new.title,
        new.repository,
        new.git_ref,
        new.agent,
        new.model,
        new.trigger.as_str(),
        new.created_by.as_uuid(),
        new.requested_by,
        new.script,
        new.prompt,
    )
    .fetch_one(db)
    .await?
    .try_into()
}

pub async fn find(db: impl PgExecutor<'_>, id: JobId, visible: Visible) -> Result<Option<Job>> {
    sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs WHERE id = $1 AND ($2::uuid IS NULL OR created_by = $2)",
        id.as_uuid(),
        visible.owner(),
    )
    .fetch_optional(db)
    .await?
    .map(Job::try_from)
    .transpose()
}

/// Script and prompt of a job.
pub async fn with_request(
    db: impl PgExecutor<'_>,
    id: JobId,
) -> Result<Option<(Option<String>, Option<String>)>> {
    let row = sqlx::query!("SELECT script, prompt FROM job_requests WHERE job_id = $1", id.as_uuid())
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| (row.script, row.prompt)))
}

/// Jobs that fit the filter, the newest first, from `filter.cursor` (the last job's id) on.
pub async fn page(
    db: impl PgExecutor<'_>,
    visible: Visible,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs
         WHERE ($1::uuid IS NULL OR created_by = $1)
           AND ($2::text IS NULL OR state = $2)
           AND ($3::text IS NULL OR kind = $3)
           AND ($4::text IS NULL OR repository = $4)
           AND (title || ' ' || repository) ILIKE ALL ($5)
           AND ($6::uuid IS NULL OR id < $6)
         ORDER BY id DESC LIMIT $7",
        visible.owner(),
        filter.state.map(JobState::as_str),
        filter.kind.map(Kind::as_str),
        filter.repository.as_deref(),
        &search_patterns(filter),
        after.as_ref().map(JobId::as_uuid),
        limit,
    )
    .fetch_all(db)
    .await?;
    jobs_from(rows)
}

/// Jobs that run, the latest started first.
pub async fn running(
    db: impl PgExecutor<'_>,
    visible: Visible,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs
         WHERE state = 'running' AND finished_at IS NULL
           AND ($1::uuid IS NULL OR created_by = $1)
           AND ($2::text IS NULL OR kind = $2)
           AND ($3::text IS NULL OR repository = $3)
           AND (title || ' ' || repository) ILIKE ALL ($4)
           AND ($6::text IS NULL OR state = $6)
         ORDER BY started_at DESC, id DESC LIMIT $5",
        visible.owner(),
        filter.kind.map(Kind::as_str),
        filter.repository.as_deref(),
        &search_patterns(filter),
        limit,
        filter.state.map(JobState::as_str),
    )
    .fetch_all(db)
    .await?;
    jobs_from(rows)
}

/// Jobs that wait, the next one first.
pub async fn waiting(
    db: impl PgExecutor<'_>,
    visible: Visible,
    filter: &JobFilter,
    limit: i64,
) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs
         WHERE state IN ('scheduled', 'queued', 'parked') AND finished_at IS NULL
           AND ($1::uuid IS NULL OR created_by = $1)
           AND ($2::text IS NULL OR kind = $2)
           AND ($3::text IS NULL OR repository = $3)
           AND (title || ' ' || repository) ILIKE ALL ($4)
           AND ($6::text IS NULL OR state = $6)
         ORDER BY priority, id LIMIT $5",
        visible.owner(),
        filter.kind.map(Kind::as_str),
        filter.repository.as_deref(),
        &search_patterns(filter),
        limit,
        filter.state.map(JobState::as_str),
    )
    .fetch_all(db)
    .await?;
    jobs_from(rows)
}

/// Jobs that ended, the latest first, from `after` (when and which the last one of the page before ended) on.
pub async fn finished_page(
    db: impl PgExecutor<'_>,
    visible: Visible,
    filter: &JobFilter,
    after: Option<(DateTime<Utc>, JobId)>,
    limit: i64,
) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs
         WHERE finished_at IS NOT NULL
           AND ($1::uuid IS NULL OR created_by = $1)
           AND ($2::text IS NULL OR state = $2)
           AND ($3::text IS NULL OR kind = $3)
           AND ($4::text IS NULL OR repository = $4)
           AND (title || ' ' || repository) ILIKE ALL ($5)
           AND ($6::timestamptz IS NULL OR (finished_at, id) < ($6, $7::uuid))
         ORDER BY finished_at DESC, id DESC LIMIT $8",
        visible.owner(),
        filter.state.map(JobState::as_str),
        filter.kind.map(Kind::as_str),
        filter.repository.as_deref(),
        &search_patterns(filter),
        after.map(|(time, _)| time),
        after.as_ref().map(|(_, id)| id.as_uuid()),
        limit,
    )
    .fetch_all(db)
    .await?;
    jobs_from(rows)
}

/// The words to look for as ILIKE patterns in which they stand for themselves; all must be found, in any order.
fn search_patterns(filter: &JobFilter) -> Vec<String> {
    let words = filter.q.as_deref().unwrap_or_default().split_whitespace();
    words
        .map(|word| format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")))
        .collect()
}

/// Repositories of earlier jobs, the latest used first.
pub async fn repositories(db: impl PgExecutor<'_>, visible: Visible, limit: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT repository FROM jobs WHERE ($1::uuid IS NULL OR created_by = $1)
         GROUP BY repository ORDER BY max(created_at) DESC LIMIT $2",
        visible.owner(),
        limit,
    )
    .fetch_all(db)
    .await
}

/// Jobs that wait and run, and how those of the last 24 hours ended. `runners` is left at 0.
pub async fn figures(db: impl PgExecutor<'_>, visible: Visible) -> Result<Figures> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE state IN ('scheduled', 'queued', 'parked')) AS "waiting!",
                  count(*) FILTER (WHERE state = 'running') AS "running!",
                  count(*) FILTER (WHERE state = 'succeeded') AS "succeeded!",
                  count(*) FILTER (WHERE state = 'failed') AS "failed!",
                  count(*) FILTER (WHERE state = 'canceled') AS "canceled!"
           FROM jobs
           WHERE (finished_at IS NULL OR finished_at > now() - interval '24 hours')
             AND ($1::uuid IS NULL OR created_by = $1)"#,
        visible.owner(),
    )
    .fetch_one(db)
    .await?;
    Ok(Figures {
        waiting: unsigned(row.waiting),
        running: unsigned(row.running),
        succeeded: unsigned(row.succeeded),
        failed: unsigned(row.failed),
        canceled: unsigned(row.canceled),
        runners: 0,
    })
}

/// `(kind, running, waiting)` of every lane that has something to do.
pub async fn lane_counts(db: impl PgExecutor<'_>) -> Result<Vec<(Kind, u32, u32)>> {
    let rows = sqlx::query!(
        r#"SELECT kind, count(*) FILTER (WHERE state = 'running') AS "running!",
                  count(*) FILTER (WHERE state <> 'running') AS "waiting!"
           FROM jobs WHERE finished_at IS NULL GROUP BY kind"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.kind.parse().map_err(unreadable)?, unsigned(row.running), unsigned(row.waiting))))
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

/// Jobs of a lane that have been queued for longer than `grace`, after `after`, in id order.
pub async fn queued_since(
    db: impl PgExecutor<'_>,
    lane: Kind,
    grace: Duration,
    after: Option<JobId>,
    limit: i64,
) -> Result<Vec<(JobId, Priority)>> {
    let rows = sqlx::query!(
        "SELECT id, priority FROM jobs
         WHERE state = 'queued' AND finished_at IS NULL AND kind = $1
           AND queued_at < now() - $2 * interval '1 millisecond' AND ($3::uuid IS NULL OR id > $3)
         ORDER BY id LIMIT $4",
        lane.as_str(),
        grace.as_secs_f64() * 1000.0,
        after.as_ref().map(JobId::as_uuid),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (JobId::from_uuid(row.id), priority_from(row.priority))).collect())
}

/// The running jobs of a lane: what may hold a slot.
pub async fn running_ids(db: impl PgExecutor<'_>, lane: Kind) -> Result<Vec<JobId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE state = 'running' AND finished_at IS NULL AND kind = $1",
        lane.as_str(),
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(JobId::from_uuid).collect())
}

/// A job and its owner, without asking who wants to know.
pub async fn find_owned(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    sqlx::query_as!(JobRow, "SELECT * FROM jobs WHERE id = $1", id.as_uuid())
        .fetch_optional(db)
        .await?
        .map(OwnedJob::try_from)
        .transpose()
}
