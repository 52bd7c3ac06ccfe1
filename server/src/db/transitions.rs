//! The job's state machine in SQL: every change of `jobs.state` after the insert is one guarded statement in this file.
//!
//! ```text
//! scheduled → queued → running → succeeded | failed | canceled
//! running → scheduled (it failed and is tried again)      running → queued (its runner is lost or gone)
//! running | queued → parked (its agent's quota is used up) → queued
//! scheduled | queued | parked → canceled                  finished → queued (somebody retries)
//! ```
//! A statement that finds the job in another state, or an attempt that is not the one named, changes nothing and returns
//! no row. The attempt number is the fence: what a runner says of an attempt that is over is not heard.
//!
//! Statements that change several rows take them in the order of their ids, so that no two of them wait for each other.

use std::time::Duration;

use app::model::{AttemptState, JobId, Timestamp};
use chrono::{DateTime, Utc};
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
             SELECT id, attempt FROM jobs WHERE id = ANY($1) AND state = 'queued' ORDER BY id FOR UPDATE
         ), started AS (
             INSERT INTO attempts (job_id, attempt, state, runner, lease_expires_at)
             SELECT id, attempt + 1, 'running', $2, now() + $3 * interval '1 millisecond' FROM candidate
         )
         UPDATE jobs SET state = 'running', attempt = jobs.attempt + 1, started_at = now(), stage = NULL,
                         progress = NULL, run_at = NULL, exit_code = NULL, error = NULL, outcome = NULL, cancel_requested_at = NULL,
                         revision = revision + 1
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

/// `scheduled | parked → queued` for jobs whose time has come, `limit` at most. One whose conversation has an earlier
/// job that has not ended stays `scheduled`, and from now on waits for that alone.
pub async fn promote(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<OwnedJob>> {
    let rows = sqlx::query_as!(
        JobRow,
        "WITH one AS (
             SELECT id, thread_id FROM jobs
             WHERE finished_at IS NULL AND run_at <= now() AND state IN ('scheduled', 'parked')
             ORDER BY run_at LIMIT $1
             FOR UPDATE SKIP LOCKED
         ), due AS (
             SELECT id, thread_id IS NOT NULL AND EXISTS (
                        SELECT FROM jobs AS before
                        WHERE before.finished_at IS NULL AND before.id < one.id
                          AND (before.thread_id = one.thread_id OR before.id = one.thread_id)) AS follows
             FROM one
         )
         UPDATE jobs SET state = CASE WHEN follows THEN 'scheduled' ELSE 'queued' END,
                         queued_at = CASE WHEN follows THEN queued_at ELSE now() END,
                         run_at = NULL, revision = revision + 1
         FROM due WHERE jobs.id = due.id
         RETURNING jobs.*",
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// `scheduled → queued` for the next job of each conversation in which all before it have ended.
pub async fn promote_followers(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<OwnedJob>> {
    let rows = sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET state = 'queued', queued_at = now(), revision = revision + 1
         WHERE state = 'scheduled' AND id IN (
             SELECT id FROM jobs
             WHERE finished_at IS NULL AND thread_id IS NOT NULL AND state = 'scheduled' AND run_at IS NULL AND NOT EXISTS (
                 SELECT FROM jobs AS before
                 WHERE before.finished_at IS NULL AND before.id < jobs.id
                   AND (before.thread_id = jobs.thread_id OR before.id = jobs.thread_id)
             )
             ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         RETURNING *",
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// `queued → parked` for those of `ids` whose agent's quota is used up.
pub async fn park(db: impl PgExecutor<'_>, ids: &[JobId]) -> Result<Vec<OwnedJob>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
    let rows = sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET state = 'parked', run_at = agent_quotas.resumes_at, revision = revision + 1
         FROM agent_quotas
         WHERE id = ANY($1) AND state = 'queued' AND agent_quotas.agent = jobs.agent AND resumes_at > now()
         RETURNING jobs.*",
        &ids,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// `parked → queued` for the jobs of an agent whose quota is there again.
pub async fn unpark(db: impl PgExecutor<'_>, agent: &str) -> Result<Vec<OwnedJob>> {
    let rows = sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET state = 'queued', queued_at = now(), run_at = NULL, revision = revision + 1
         WHERE finished_at IS NULL AND run_at IS NOT NULL AND state = 'parked' AND agent = $1
         RETURNING *",
        agent,
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
    pub again: Again,
}

/// Whether a failure may go away by trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    IfAttemptsAreLeft,
    /// It would fail the same way: what was asked for does not exist.
    Never,
    /// The agent's quota is used up until then. This uses no attempt up.
    At(Timestamp),
}

impl Outcome {
    pub fn succeeded(exit_code: Option<i32>) -> Self {
        Self { state: AttemptState::Succeeded, exit_code, error: None, again: Again::Never }
    }

    pub fn failed(error: impl Into<String>) -> Self {
        let error = Some(postgres_text(error.into()));
        Self { state: AttemptState::Failed, exit_code: None, error, again: Again::IfAttemptsAreLeft }
    }

    pub fn canceled() -> Self {
        Self { state: AttemptState::Canceled, exit_code: None, error: None, again: Again::Never }
    }

    pub fn with_exit_code(self, exit_code: i32) -> Self {
        Self { exit_code: Some(exit_code), ..self }
    }

    /// To be tried again when the agent's quota is there again.
    pub fn parked_until(self, time: Timestamp) -> Self {
        Self { again: Again::At(time), ..self }
    }

    pub fn and_never_again(self) -> Self {
        Self { again: Again::Never, ..self }
    }
}

/// The end of one attempt, as its runner tells it.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub id: JobId,
    pub attempt: u32,
    pub outcome: Outcome,
    /// How many lines the attempt printed; the archive holds them all.
    pub lines: u64,
}

/// `running → succeeded | failed | canceled`, `running → parked` until the agent's quota is there again, or `running →
/// scheduled` when it failed and attempts are left: after the
/// job's pause, doubled with each failure up to an hour, give or take a quarter. Returns the jobs whose attempts were
/// `runner`'s.
pub async fn finish(db: impl PgExecutor<'_>, runner: &str, verdicts: &[Verdict]) -> Result<Vec<OwnedJob>> {
    let mut verdicts: Vec<&Verdict> = verdicts.iter().collect();
    verdicts.sort_unstable_by_key(|verdict| verdict.id);
    let ids: Vec<Uuid> = verdicts.iter().map(|verdict| *verdict.id.as_uuid()).collect();
    let attempts: Vec<i32> = verdicts.iter().map(|verdict| signed(verdict.attempt)).collect();
    let states: Vec<String> =
        verdicts.iter().map(|verdict| verdict.outcome.state.as_str().to_owned()).collect();
    let exit_codes: Vec<Option<i32>> = verdicts.iter().map(|verdict| verdict.outcome.exit_code).collect();
    let errors: Vec<Option<String>> = verdicts.iter().map(|verdict| verdict.outcome.error.clone()).collect();
    let again: Vec<bool> =
        verdicts.iter().map(|verdict| verdict.outcome.again == Again::IfAttemptsAreLeft).collect();
    let parked_until: Vec<Option<DateTime<Utc>>> = verdicts
        .iter()
        .map(|verdict| match verdict.outcome.again {
            Again::At(time) => DateTime::from_timestamp_millis(time.0),
            _ => None,
        })
        .collect();
    let lines: Vec<i64> =
        verdicts.iter().map(|verdict| i64::try_from(verdict.lines).unwrap_or(i64::MAX)).collect();
    let rows = sqlx::query_as!(
        JobRow,
        "WITH given AS (
             SELECT * FROM UNNEST($2::uuid[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::boolean[],
                                  $8::bigint[], $9::timestamptz[])
                 AS given (id, attempt, state, exit_code, error, again, lines, parked_until)
         ), ended AS (
             -- Not by its state: of that there is an index, which holds what this runner has ever run until it is cleaned.
             UPDATE attempts SET state = given.state, exit_code = given.exit_code, error = given.error,
                                 lines = given.lines, finished_at = now()
             FROM given WHERE attempts.job_id = given.id AND attempts.attempt = given.attempt
                          AND attempts.runner = $1 AND attempts.finished_at IS NULL
             RETURNING given.*
         )
         UPDATE jobs SET
             (state, run_at, failures, finished_at) = (
                 SELECT CASE WHEN is_parked THEN 'parked' WHEN is_tried_again THEN 'scheduled' ELSE ended.state END,
                        CASE WHEN is_parked THEN ended.parked_until
                             WHEN is_tried_again THEN now() + interval '1 millisecond'
                                 * least(jobs.backoff_ms * power(2, least(jobs.failures, 20)), 3600000)
                                 * (0.75 + random() / 2) END,
                        jobs.failures + (ended.state = 'failed' AND NOT is_parked)::integer,
                        CASE WHEN NOT is_parked AND NOT is_tried_again THEN now() END
                 FROM (SELECT ended.parked_until IS NOT NULL AND jobs.cancel_requested_at IS NULL AS is_parked,
                              ended.state = 'failed' AND ended.again AND jobs.failures + 1 < jobs.max_attempts
                                  AND jobs.cancel_requested_at IS NULL AS is_tried_again) AS judged
             ),
             exit_code = ended.exit_code, error = ended.error, stage = NULL, progress = NULL,
             revision = revision + 1
         FROM ended WHERE jobs.id = ended.id AND jobs.state = 'running' AND jobs.attempt = ended.attempt
         RETURNING jobs.*",
        runner,
        &ids,
        &attempts,
        &states,
        &exit_codes as &[Option<i32>],
        &errors as &[Option<String>],
        &again,
        &lines,
        &parked_until as &[Option<DateTime<Utc>>],
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(OwnedJob::try_from).collect()
}

/// Why an attempt ends without an outcome of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its lease has run out.
    LeaseExpired,
    /// Its runner stops and gives it back.
    HandedBack,
    /// Its runner cannot say how it ended, for this reason.
    NoVerdict(String),
}

/// After so many attempts whose runner died, or could not say how they ended, the job is taken for the cause.
const POISON: i32 = 3;

/// `running → queued`, or `failed` when that has happened too often. No kind of loss uses an attempt up. For an expired
/// lease the guard is the lease itself.
pub async fn lose(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    loss: Loss,
    lines: u64,
) -> Result<Option<OwnedJob>> {
    let is_expired = loss == Loss::LeaseExpired;
    let (error, deaths, poison) = match loss {
        Loss::LeaseExpired => (
            "The runner was lost: nothing was heard of it until the lease ran out.".to_owned(),
            1,
            format!(
                "poison: the runner died {POISON} times while this job ran, so it is not tried again by itself. Look at \
                 the end of its output, and at the runner's memory and disk."
            ),
        ),
        Loss::HandedBack => ("The runner was stopped and gave the job back.".to_owned(), 0, String::new()),
        Loss::NoVerdict(reason) => {
            let reason = postgres_text(reason);
            (
                format!("It is not known how this attempt ended: {reason}."),
                1,
                format!(
                    "poison: {POISON} times it is not known how this job ended, so it is not tried again by itself. \
                     The last time: {reason}."
                ),
            )
        }
    };
    one(sqlx::query_as!(
        JobRow,
        "WITH ended AS (
             UPDATE attempts SET state = 'lost', error = $3, lines = $5, finished_at = now()
             WHERE job_id = $1 AND attempt = $2 AND state = 'running'
               AND (NOT $8 OR lease_expires_at < now())
             RETURNING job_id
         )
         UPDATE jobs SET
             state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'canceled'
                          WHEN losses + $4 >= $6 THEN 'failed' ELSE 'queued' END,
             finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR losses + $4 >= $6 THEN now() END,
             error = CASE WHEN cancel_requested_at IS NULL AND losses + $4 >= $6 THEN $7 END,
             losses = losses + $4, queued_at = now(), stage = NULL, progress = NULL, revision = revision + 1
         FROM ended WHERE jobs.id = ended.job_id AND jobs.state = 'running' AND jobs.attempt = $2
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        error,
        deaths,
        i64::try_from(lines).unwrap_or(i64::MAX),
        POISON,
        poison,
        is_expired,
    )
    .fetch_optional(db)
    .await)
}

/// `scheduled | queued | parked → canceled`.
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

/// `succeeded | failed | canceled → queued`, with as many attempts as at first, and GitHub is told
/// again. Not while another job of its conversation
/// has not ended: both would work on the same branch.
pub async fn retry(db: impl PgExecutor<'_>, id: JobId) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "WITH candidate AS (
             SELECT id FROM jobs
             WHERE id = $1 AND state IN ('succeeded', 'failed', 'canceled') AND NOT EXISTS (
                 SELECT FROM jobs AS other
                 WHERE other.finished_at IS NULL
                   AND (other.thread_id IN (jobs.id, jobs.thread_id) OR other.id = jobs.thread_id)
             )
             FOR UPDATE
         ), told_again AS (
             -- Whoever works on the answer at this moment has to begin again too.
             UPDATE github_answers SET is_done = false, tries = tries + 1, due_at = now()
             FROM candidate WHERE job_id = candidate.id
         )
         UPDATE jobs SET state = 'queued', failures = 0, losses = 0, queued_at = now(), run_at = NULL,
                         finished_at = NULL, exit_code = NULL, error = NULL, outcome = NULL,
                         cancel_requested_at = NULL,
                         revision = revision + 1
         FROM candidate WHERE jobs.id = candidate.id
         RETURNING jobs.*",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await)
}

/// What a running attempt is doing now and how far it is; not a change of state, but guarded like one. What is `None` stays
/// as it was.
pub async fn set_progress(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    stage: Option<&str>,
    percent: Option<u8>,
) -> Result<Option<OwnedJob>> {
    one(sqlx::query_as!(
        JobRow,
        "UPDATE jobs SET stage = coalesce($3, stage), progress = coalesce($4, progress), revision = revision + 1
         WHERE id = $1 AND attempt = $2 AND state = 'running'
         RETURNING jobs.*",
        id.as_uuid(),
        signed(attempt),
        stage,
        percent.map(i16::from),
    )
    .fetch_optional(db)
    .await)
}

/// Postgres takes no text with a zero byte.
fn postgres_text(text: String) -> String {
    text.replace('\0', "\u{fffd}")
}

fn one(row: Result<Option<JobRow>>) -> Result<Option<OwnedJob>> {
    row?.map(OwnedJob::try_from).transpose()
}
