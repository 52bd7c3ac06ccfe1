//! What is known of an agent's attempt (`attempts.agent`), and the files of its conversations (`agent_sessions`).

use std::collections::HashMap;

use app::model::{AgentRun, JobId};
use sqlx::{PgExecutor, Result, types::Json};

use super::{JobRow, OwnedJob, signed};

/// Writes down what is known of a running attempt, and of its job what lists show. Nothing when the attempt is over.
pub async fn note(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    run: &AgentRun,
) -> Result<Option<OwnedJob>> {
    sqlx::query_as!(
        JobRow,
        "WITH noted AS (
             UPDATE attempts SET agent = $3 WHERE job_id = $1 AND attempt = $2 AND state = 'running' RETURNING job_id
         )
         UPDATE jobs SET outcome = $4, branch = coalesce($5, branch), model = coalesce(model, $6), revision = revision + 1
         FROM noted WHERE id = noted.job_id AND state = 'running' AND attempt = $2
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        Json(run) as _,
        run.outcome.map(|outcome| outcome.as_str()),
        run.branch,
        run.model,
    )
    .fetch_optional(db)
    .await?
    .map(OwnedJob::try_from)
    .transpose()
}

/// Commits that attempts of a job have published, or were about to.
pub async fn heads(db: impl PgExecutor<'_>, id: JobId) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT agent->>'head' AS "head!" FROM attempts WHERE job_id = $1 AND agent->>'head' IS NOT NULL"#,
        id.as_uuid(),
    )
    .fetch_all(db)
    .await
}

/// An agent's own name for a conversation, and its files as they were when the last job of the thread ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub session: String,
    /// tar, zstd
    pub files: Vec<u8>,
}

pub async fn session(db: impl PgExecutor<'_>, thread: JobId, agent: &str) -> Result<Option<Session>> {
    sqlx::query_as!(
        Session,
        "SELECT session, files FROM agent_sessions WHERE thread_id = $1 AND agent = $2",
        thread.as_uuid(),
        agent,
    )
    .fetch_optional(db)
    .await
}

pub async fn keep_session(
    db: impl PgExecutor<'_>,
    thread: JobId,
    agent: &str,
    session: &Session,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO agent_sessions (thread_id, agent, session, files) VALUES ($1, $2, $3, $4)
         ON CONFLICT (thread_id, agent) DO UPDATE SET session = excluded.session, files = excluded.files, updated_at = now()",
        thread.as_uuid(),
        agent,
        session.session,
        session.files,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One exchange of a conversation: what was asked, and what the agent said it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub prompt: String,
    pub summary: Option<String>,
}

/// What was said in a conversation before `job`, the latest `limit` exchanges, the oldest first.
pub async fn exchanges_before(
    db: impl PgExecutor<'_>,
    thread: JobId,
    job: JobId,
    limit: i64,
) -> Result<Vec<Exchange>> {
    let mut rows = sqlx::query_as!(
        Exchange,
        r#"SELECT job_requests.prompt AS "prompt!",
                  (SELECT agent->>'summary' FROM attempts WHERE attempts.job_id = jobs.id ORDER BY attempt DESC LIMIT 1) AS summary
           FROM jobs JOIN job_requests ON job_requests.job_id = jobs.id
           WHERE (jobs.thread_id = $1 OR jobs.id = $1) AND jobs.id < $2 AND job_requests.prompt IS NOT NULL
           ORDER BY jobs.id DESC LIMIT $3"#,
        thread.as_uuid(),
        job.as_uuid(),
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// What was asked of jobs, and what is known of their latest attempts. A prompt is cut after so many characters.
pub async fn told(
    db: impl PgExecutor<'_>,
    jobs: &[JobId],
    chars: i32,
) -> Result<HashMap<JobId, (String, Option<AgentRun>)>> {
    let ids: Vec<_> = jobs.iter().map(|id| *id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT job_id,
                  CASE WHEN length(prompt) > $2 THEN left(prompt, $2) || ' …' ELSE prompt END AS "prompt!",
                  (SELECT agent FROM attempts WHERE attempts.job_id = job_requests.job_id ORDER BY attempt DESC LIMIT 1)
                      AS "run: Json<AgentRun>"
           FROM job_requests WHERE job_id = ANY ($1) AND prompt IS NOT NULL"#,
        &ids,
        chars,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (JobId::from_uuid(row.job_id), (row.prompt, row.run.map(|Json(run)| run))))
        .collect())
}
