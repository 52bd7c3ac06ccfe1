//! Table `github_threads`: which conversation of jobs an issue or a pull request has.

use app::model::{Job, JobId};
use sqlx::{PgExecutor, PgPool, Result};

use super::{JobRow, OwnedJob, unsigned};
use crate::github::RepositoryName;

/// The first job of a thread's conversation. A pull request of Millrace's has the conversation of the job that opened it.
pub async fn find(
    db: impl PgExecutor<'_>,
    repository: &RepositoryName,
    number: i64,
) -> Result<Option<JobId>> {
    let thread = sqlx::query_scalar!(
        r#"SELECT thread_id AS "thread_id!" FROM (
             SELECT thread_id, 1 AS place, thread_id AS job FROM github_threads WHERE repository = $1 AND number = $2
             UNION ALL
             SELECT coalesce(thread_id, id), 2, id FROM github_answers JOIN jobs ON jobs.id = job_id
             WHERE github_answers.repository = $1 AND pull_number = $2) AS found
           ORDER BY place, job DESC LIMIT 1"#,
        repository.as_str(),
        number,
    )
    .fetch_optional(db)
    .await?;
    Ok(thread.map(JobId::from_uuid))
}

/// The first job of the conversation whose work is on a branch of the repository. Jobs may know that by several addresses,
/// their answers by its name.
pub async fn of_branch(
    db: impl PgExecutor<'_>,
    repository: &RepositoryName,
    branch: &str,
) -> Result<Option<JobId>> {
    let thread = sqlx::query_scalar!(
        r#"SELECT coalesce(thread_id, id) AS "thread!" FROM jobs JOIN github_answers ON job_id = jobs.id
           WHERE lower(github_answers.repository) = lower($1) AND branch = $2 AND agent IS NOT NULL
           ORDER BY id DESC LIMIT 1"#,
        repository.as_str(),
        branch,
    )
    .fetch_optional(db)
    .await?;
    Ok(thread.map(JobId::from_uuid))
}

/// Where the jobs of a conversation were asked for first: an issue, or a pull request.
pub async fn number_of(
    db: impl PgExecutor<'_>,
    repository: &RepositoryName,
    thread: JobId,
) -> Result<Option<i64>> {
    sqlx::query_scalar!(
        "SELECT number FROM github_threads WHERE repository = $1 AND thread_id = $2 ORDER BY number LIMIT 1",
        repository.as_str(),
        thread.as_uuid(),
    )
    .fetch_optional(db)
    .await
}

/// Holds a thread until the end of the transaction: who makes its conversation has it alone.
pub async fn lock(db: impl PgExecutor<'_>, repository: &RepositoryName, number: i64) -> Result<()> {
    let name = format!("{}#{number}", repository.as_str().to_lowercase());
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(db).await?;
    Ok(())
}

/// Notes which conversation a thread has now.
pub async fn keep(
    db: impl PgExecutor<'_>,
    repository: &RepositoryName,
    number: i64,
    thread: JobId,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO github_threads (repository, number, thread_id) VALUES ($1, $2, $3)
         ON CONFLICT (repository, number) DO UPDATE SET thread_id = excluded.thread_id",
        repository.as_str(),
        number,
        thread.as_uuid(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives what was known under one name, and at one address, another name and address. A second time changes nothing.
pub async fn rename(
    db: &PgPool,
    (from, old_address): (&RepositoryName, &str),
    (to, new_address): (&RepositoryName, &str),
) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let mut step = db.begin().await?;
    sqlx::query!(
        "WITH moved AS (DELETE FROM github_threads WHERE lower(repository) = lower($1) RETURNING number, thread_id)
         INSERT INTO github_threads (repository, number, thread_id) SELECT $2, number, thread_id FROM moved
         ON CONFLICT (repository, number) DO UPDATE SET thread_id = excluded.thread_id",
        from.as_str(),
        to.as_str(),
    )
    .execute(&mut *step)
    .await?;
    sqlx::query!(
        "UPDATE github_answers SET repository = $2 WHERE lower(repository) = lower($1)",
        from.as_str(),
        to.as_str(),
    )
    .execute(&mut *step)
    .await?;
    let old_address = old_address.trim_end_matches(".git");
    // As they are retried they have to find it, and as their time comes.
    sqlx::query!(
        "UPDATE jobs SET repository = $2 WHERE lower(repository) IN (lower($1), lower($1 || '.git'))",
        old_address,
        new_address,
    )
    .execute(&mut *step)
    .await?;
    sqlx::query!(
        "UPDATE schedules SET job = jsonb_set(job, '{repository}', to_jsonb($2::text))
         WHERE lower(job ->> 'repository') IN (lower($1), lower($1 || '.git'))",
        old_address,
        new_address,
    )
    .execute(&mut *step)
    .await?;
    step.commit().await
}

/// The latest job of a conversation.
pub async fn last_job(db: impl PgExecutor<'_>, thread: JobId) -> Result<Option<OwnedJob>> {
    sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs WHERE id = $1 OR thread_id = $1 ORDER BY id DESC LIMIT 1",
        thread.as_uuid()
    )
    .fetch_optional(db)
    .await?
    .map(OwnedJob::try_from)
    .transpose()
}

/// The jobs of a conversation that have not ended, the oldest first.
pub async fn unfinished(db: impl PgExecutor<'_>, thread: JobId) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        "SELECT * FROM jobs WHERE (id = $1 OR thread_id = $1) AND finished_at IS NULL ORDER BY id",
        thread.as_uuid()
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// How busy a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// How often somebody asked for a job, or for another try of one, on GitHub within the last hour.
    pub within_hour: u32,
    pub in_all: u32,
    /// The latest jobs that failed checks asked for, one after the other.
    pub check_rounds: u32,
}

pub async fn traffic(db: impl PgExecutor<'_>, thread: JobId) -> Result<Traffic> {
    let row = sqlx::query!(
        r#"WITH known AS (
               SELECT id, EXISTS (
                   SELECT FROM deliveries WHERE job_id = jobs.id AND event = 'check_run' AND verdict = 'ran') AS is_round
               FROM jobs WHERE id = $1 OR thread_id = $1
           )
           SELECT count(*) AS "in_all!", (
                      SELECT count(*) FROM deliveries
                      WHERE job_id IN (SELECT id FROM known) AND verdict = 'ran' AND worked_at > now() - interval '1 hour'
                  ) AS "within_hour!",
                  count(*) FILTER (WHERE is_round AND NOT EXISTS (
                      SELECT FROM known AS later WHERE later.id > known.id AND NOT later.is_round)) AS "check_rounds!"
           FROM known"#,
        thread.as_uuid(),
    )
    .fetch_one(db)
    .await?;
    Ok(Traffic {
        within_hour: unsigned(row.within_hour),
        in_all: unsigned(row.in_all),
        check_rounds: unsigned(row.check_rounds),
    })
}
