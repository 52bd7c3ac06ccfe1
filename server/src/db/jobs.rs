//! Table `jobs` (and `job_requests`): making and reading them. What changes a job's state is in `transitions`.

use app::model::{Figures, Job, JobFilter, JobId, JobState, Kind, Priority, Trigger, UserId};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, Result};
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
    pub outcome: Option<String>,
    pub branch: Option<String>,
    pub parent_id: Option<Uuid>,
    pub thread_id: Option<Uuid>,
    pub pull_request: Option<String>,
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
            outcome: row.outcome.map(|word| word.parse().map_err(unreadable)).transpose()?,
            branch: row.branch,
            pull_request: row.pull_request,
            parent: row.parent_id.map(JobId::from_uuid),
            thread: row.thread_id.map(JobId::from_uuid),
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
pub(super) fn priority_from(number: i16) -> Priority {
    usize::try_from(number)
        .ok()
        .and_then(|index| Priority::ALL.get(index))
        .copied()
        .unwrap_or(Priority::Normal)
}

pub(super) fn jobs_from(rows: Vec<JobRow>) -> Result<Vec<Job>> {
    rows.into_iter().map(Job::try_from).collect()
}

/// Whose jobs a person may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visible {
    All,
    Of(UserId),
}

impl Visible {
    pub(super) fn owner(self) -> Option<Uuid> {
        match self {
            Self::All => None,
            Self::Of(user) => Some(*user.as_uuid()),
        }
    }
}

/// A checked request for a job.
#[derive(Clone, Debug)]
pub struct NewJobRow {
    pub id: JobId,
    pub kind: Kind,
    pub priority: Priority,
    pub max_attempts: u32,
    pub backoff_ms: u32,
    pub title: String,
    pub repository: String,
    pub git_ref: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub trigger: Trigger,
    pub created_by: UserId,
    pub requested_by: String,
    pub run_at: Option<DateTime<Utc>>,
    pub script: Option<String>,
    pub prompt: Option<String>,
    pub conversation: Option<Conversation>,
    /// The branch that the work is published on, where it is known before.
    pub branch: Option<String>,
}

/// What a job goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub parent: JobId,
    /// The first job of them all.
    pub thread: JobId,
    /// Where the work so far was published.
    pub branch: Option<String>,
}

/// Makes jobs as [`insert`] does, within a transaction: the jobs of a conversation are made one after the other, so that only
/// one of them finds nobody before it.
pub async fn insert_in_turn(db: &mut PgConnection, new: &[NewJobRow]) -> Result<Vec<OwnedJob>> {
    let threads = new.iter().filter_map(|job| job.conversation.as_ref());
    let mut threads: Vec<Uuid> = threads.map(|conversation| *conversation.thread.as_uuid()).collect();
    if !threads.is_empty() {
        threads.sort_unstable();
        sqlx::query!(
            "SELECT pg_advisory_xact_lock(hashtextextended(thread::text, 0)) FROM UNNEST($1::uuid[]) AS thread",
            &threads,
        )
        .fetch_all(&mut *db)
        .await?;
    }
    insert(db, new).await
}

/// Makes jobs, `queued`, or `scheduled` when their time is still to come or another job of their conversation has not ended:
/// the rows must be committed before ids go to Redis.
pub async fn insert(db: impl PgExecutor<'_>, new: &[NewJobRow]) -> Result<Vec<OwnedJob>> {
    fn column<T>(new: &[NewJobRow], field: impl Fn(&NewJobRow) -> T) -> Vec<T> {
        new.iter().map(field).collect()
    }
    let rows = sqlx::query_as!(
        JobRow,
        "WITH given AS (
             SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::smallint[], $4::integer[], $5::integer[], $6::text[],
                                  $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::text[],
                                  $14::timestamptz[], $15::text[], $16::text[], $17::uuid[], $18::uuid[], $19::text[])
                 AS given (id, kind, priority, max_attempts, backoff_ms, title, repository, git_ref, agent, model, trigger,
                           created_by, requested_by, run_at, script, prompt, parent_id, thread_id, branch)
         ), requests AS (
             INSERT INTO job_requests (job_id, script, prompt) SELECT id, script, prompt FROM given
         ), placed AS (
             SELECT *, run_at > now() IS TRUE OR thread_id IS NOT NULL AND EXISTS (
                        SELECT FROM jobs AS before WHERE before.finished_at IS NULL
                            AND (before.thread_id = given.thread_id OR before.id = given.thread_id)
                        UNION ALL SELECT FROM given AS before
                        WHERE before.thread_id = given.thread_id AND before.id < given.id) AS is_later
             FROM given
         )
         INSERT INTO jobs (id, kind, state, priority, max_attempts, backoff_ms, title, repository, git_ref, agent, model,
                           trigger, created_by, requested_by, run_at, queued_at, parent_id, thread_id, branch)
         SELECT id, kind, CASE WHEN is_later THEN 'scheduled' ELSE 'queued' END, priority, max_attempts, backoff_ms,
                title, repository, git_ref, agent, model, trigger, created_by, requested_by,
                CASE WHEN run_at > now() THEN run_at END, CASE WHEN is_later THEN NULL ELSE now() END,
                parent_id, thread_id, branch
         FROM placed
         RETURNING *",
        &column(new, |job| *job.id.as_uuid()),
        &column(new, |job| job.kind.as_str().to_owned()),
        &column(new, |job| job.priority as i16),
        &column(new, |job| signed(job.max_attempts)),
        &column(new, |job| signed(job.backoff_ms)),
        &column(new, |job| job.title.clone()),
        &column(new, |job| job.repository.clone()),
        &column(new, |job| job.git_ref.clone()) as &[Option<String>],
        &column(new, |job| job.agent.clone()) as &[Option<String>],
        &column(new, |job| job.model.clone()) as &[Option<String>],
        &column(new, |job| job.trigger.as_str().to_owned()),
        &column(new, |job| *job.created_by.as_uuid()),
        &column(new, |job| job.requested_by.clone()),
        &column(new, |job| job.run_at) as &[Option<DateTime<Utc>>],
        &column(new, |job| job.script.clone()) as &[Option<String>],
        &column(new, |job| job.prompt.clone()) as &[Option<String>],
        &column(new, |job| job.conversation.as_ref().map(|of| *of.parent.as_uuid())) as &[Option<Uuid>],
        &column(new, |job| job.conversation.as_ref().map(|of| *of.thread.as_uuid())) as &[Option<Uuid>],
        &column(new, |job| job.branch.clone()) as &[Option<String>],
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// The latest jobs of a conversation, the oldest first.
pub async fn conversation(
    db: impl PgExecutor<'_>,
    thread: JobId,
    visible: Visible,
    limit: i64,
) -> Result<Vec<Job>> {
    let mut rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs WHERE (thread_id = $1 OR id = $1) AND ($2::uuid IS NULL OR created_by = $2)
         ORDER BY id DESC LIMIT $3",
        thread.as_uuid(),
        visible.owner(),
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.reverse();
    jobs_from(rows)
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
         WHERE id IN (SELECT job_id FROM attempts WHERE attempts.state = 'running') AND state = 'running'
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
    patterns(filter.q.as_deref().unwrap_or_default())
}

/// The same for words of another list.
pub(super) fn patterns(words: &str) -> Vec<String> {
    let words = words.split_whitespace();
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

/// How long the last jobs of this kind and repository that succeeded took: their median, in milliseconds.
pub async fn usual_duration(db: impl PgExecutor<'_>, kind: Kind, repository: &str) -> Result<Option<u64>> {
    let millis = sqlx::query_scalar!(
        r#"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at) * 1000)
           FROM (SELECT started_at, finished_at FROM jobs
                 WHERE repository = $2 AND kind = $1 AND state = 'succeeded' ORDER BY id DESC LIMIT 20) AS last"#,
        kind.as_str(),
        repository,
    )
    .fetch_one(db)
    .await?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration in milliseconds")]
    Ok(millis.map(|millis| millis.max(0.0) as u64))
}

/// A job and its owner, without asking who wants to know.
pub async fn find_owned(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    sqlx::query_as!(JobRow, "SELECT * FROM jobs WHERE id = $1", id.as_uuid())
        .fetch_optional(db)
        .await?
        .map(OwnedJob::try_from)
        .transpose()
}
