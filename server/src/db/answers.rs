//! Table `github_answers`: what GitHub was told of a job, and what is left to tell.
//!
//! Whoever works on a row has claimed it: `due_at` lies in the future then, and `tries` has grown, which is the fence of
//! every later write.

use std::{fmt, time::Duration};

use app::model::{Job, JobId};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};
use url::Url;

use super::{JobRow, OwnedJob, unreadable};
use crate::github::{BranchName, RepositoryName};

/// What asked for a job at GitHub, and gets a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedIn {
    Issue,
    Comment,
    ReviewComment,
}

impl AskedIn {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Comment => "comment",
            Self::ReviewComment => "review_comment",
        }
    }

    fn read(word: &str) -> Result<Self> {
        match word {
            "issue" => Ok(Self::Issue),
            "comment" => Ok(Self::Comment),
            "review_comment" => Ok(Self::ReviewComment),
            word => Err(unreadable(std::io::Error::other(format!("`{word}` is no place to ask in")))),
        }
    }
}

/// `id` is the comment's own, or the number of the issue or pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub place: AskedIn,
    pub id: i64,
}

/// A branch of somebody else's repository, whose pull request's author lets maintainers push to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    pub repository: RepositoryName,
    pub branch: BranchName,
}

impl fmt::Display for Fork {
    /// As GitHub writes it: `owner:branch`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository.owner(), self.branch)
    }
}

/// Something to tell GitHub of from now on.
#[derive(Clone, Debug)]
pub struct NewAnswer<'a> {
    pub job: JobId,
    pub repository: &'a RepositoryName,
    /// The issue or pull request to answer in. None for a job that was not asked for there.
    pub number: Option<i64>,
    pub asked: Option<Asked>,
    /// The commit that gets a check run: the pull request's head.
    pub head_sha: Option<String>,
    /// The branch that the work is to be merged into, unless that is the default one.
    pub base: Option<String>,
    /// Where the work goes, if that is not the repository itself.
    pub fork: Option<Fork>,
}

/// Opens the answer to a job; nothing when there is one.
pub async fn open(db: impl PgExecutor<'_>, new: &NewAnswer<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO github_answers (job_id, repository, number, asked_in, asked_id, head_sha, base, fork, fork_branch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (job_id) DO NOTHING",
        new.job.as_uuid(),
        new.repository.as_str(),
        new.number,
        new.asked.map(|asked| asked.place.as_str()),
        new.asked.map(|asked| asked.id),
        new.head_sha,
        new.base,
        new.fork.as_ref().map(|fork| fork.repository.as_str()),
        new.fork.as_ref().map(|fork| fork.branch.as_str()),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Where the work of a job on a fork's pull request goes: as it was when somebody asked for it there, or for what the job
/// goes on with.
pub async fn fork(db: impl PgExecutor<'_>, job: &Job) -> Result<Option<Fork>> {
    let thread = job.thread.unwrap_or(job.id);
    let row = sqlx::query!(
        "SELECT fork, fork_branch FROM github_answers JOIN jobs ON jobs.id = job_id
         WHERE (jobs.id = $1 OR jobs.thread_id = $1) AND jobs.id <= $2
         ORDER BY jobs.id DESC LIMIT 1",
        thread.as_uuid(),
        job.id.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    let Some((repository, branch)) = row.and_then(|row| row.fork.zip(row.fork_branch)) else {
        return Ok(None);
    };
    let unreadable = |error: String| unreadable(std::io::Error::other(error));
    Ok(Some(Fork {
        repository: repository.parse().map_err(unreadable)?,
        branch: BranchName::try_from(branch).map_err(unreadable)?,
    }))
}

/// An answer as it stands, in the hands of whoever has claimed it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub job: JobId,
    pub repository: RepositoryName,
    pub number: Option<i64>,
    pub asked: Option<Asked>,
    pub is_reacted: bool,
    pub comment_id: Option<i64>,
    /// 0 where Millrace may make none.
    pub check_run_id: Option<i64>,
    pub head_sha: Option<String>,
    pub base: Option<String>,
    pub pull_number: Option<i64>,
    pub pull_url: Option<String>,
    /// A digest of what was said last.
    pub said: Option<String>,
    /// How often it was begun since the last time that all went well. More than 1: what is not noted may have been done.
    pub tries: i32,
}

/// Takes answers that are due because their job has changed since GitHub was told, the longest due first. They are nobody
/// else's for `lease`.
pub async fn claim(db: impl PgExecutor<'_>, lease: Duration, limit: i64) -> Result<Vec<Answer>> {
    let rows = sqlx::query!(
        "UPDATE github_answers SET due_at = now() + $1 * interval '1 millisecond', tries = tries + 1
         WHERE job_id IN (
             SELECT job_id FROM github_answers JOIN jobs ON jobs.id = job_id
             WHERE NOT is_done AND due_at <= now() AND jobs.revision > told
             ORDER BY due_at LIMIT $2 FOR UPDATE OF github_answers SKIP LOCKED
         )
         RETURNING job_id, repository, number, asked_in, asked_id, is_reacted, comment_id, check_run_id, head_sha, base,
                   pull_number, pull_url, said, tries",
        milliseconds(lease),
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = row.asked_in.as_deref().map(AskedIn::read).transpose()?;
            Ok(Answer {
                job: JobId::from_uuid(row.job_id),
                repository: row
                    .repository
                    .parse()
                    .map_err(|error: String| unreadable(std::io::Error::other(error)))?,
                number: row.number,
                asked: place.zip(row.asked_id).map(|(place, id)| Asked { place, id }),
                is_reacted: row.is_reacted,
                comment_id: row.comment_id,
                check_run_id: row.check_run_id,
                head_sha: row.head_sha,
                base: row.base,
                pull_number: row.pull_number,
                pull_url: row.pull_url,
                said: row.said,
                tries: row.tries,
            })
        })
        .collect()
}

/// Whether there is anything to be told, now or when its job goes on.
pub async fn any_open(db: impl PgExecutor<'_>) -> Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM github_answers WHERE NOT is_done) AS "any!""#)
        .fetch_one(db)
        .await
}

/// What was done, to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet: it is about to be done.
    Begins,
    Reacted,
    Commented(i64),
    /// Somebody has deleted the comment.
    CommentGone,
    Checked(i64),
    /// Millrace may make no check runs there.
    NoCheck,
}

/// Notes a step, and holds the answer for `lease` more. `false`: it is somebody else's by now, who does the rest.
pub async fn note(db: impl PgExecutor<'_>, answer: &Answer, step: Step, lease: Duration) -> Result<bool> {
    let (comment, check) = match step {
        Step::Commented(id) => (Some(id), None),
        Step::Checked(id) => (None, Some(id)),
        Step::NoCheck => (None, Some(0)),
        _ => (None, None),
    };
    let noted = sqlx::query!(
        "UPDATE github_answers SET is_reacted = is_reacted OR $3,
             comment_id = CASE WHEN $4 THEN NULL ELSE coalesce($5, comment_id) END,
             check_run_id = coalesce($6, check_run_id), due_at = now() + $7 * interval '1 millisecond'
         WHERE job_id = $1 AND tries = $2 AND NOT is_done",
        answer.job.as_uuid(),
        answer.tries,
        step == Step::Reacted,
        step == Step::CommentGone,
        comment,
        check,
        milliseconds(lease),
    )
    .execute(db)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Notes the pull request with the work, at the answer and at its job, and returns the job as it is now. `None`: the answer
/// is somebody else's by now.
pub async fn opened(
    db: impl PgExecutor<'_>,
    answer: &Answer,
    number: i64,
    url: &str,
    lease: Duration,
) -> Result<Option<OwnedJob>> {
    sqlx::query_as!(
        JobRow,
        "WITH locked AS (
             SELECT id FROM jobs WHERE id = $1 FOR UPDATE
         ), noted AS (
             UPDATE github_answers SET pull_number = $3, pull_url = $4, due_at = now() + $5 * interval '1 millisecond'
             FROM locked WHERE job_id = locked.id AND tries = $2 AND NOT is_done RETURNING job_id
         )
         UPDATE jobs SET pull_request = $4, revision = revision + 1
         FROM noted WHERE jobs.id = noted.job_id
         RETURNING jobs.*",
        answer.job.as_uuid(),
        answer.tries,
        number,
        url,
        milliseconds(lease),
    )
    .fetch_optional(db)
    .await?
    .map(OwnedJob::try_from)
    .transpose()
}

/// What comes after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// GitHub knows how the job stands; it is told more after this pause at the earliest.
    After(Duration),
    /// Nothing is left to be told.
    Done,
    /// It is tried again then.
    Again(DateTime<Utc>),
}

/// Ends a try. `revision` is the job's that was told, and `error` what GitHub could not be told, in words.
pub async fn end(
    db: impl PgExecutor<'_>,
    answer: &Answer,
    revision: i64,
    error: Option<&str>,
    next: &Next,
) -> Result<()> {
    let (told, pause, at) = match next {
        Next::After(pause) => (Some(revision), milliseconds(*pause), None),
        Next::Done => (Some(revision), 0.0, None),
        Next::Again(at) => (None, 0.0, Some(*at)),
    };
    sqlx::query!(
        "UPDATE github_answers SET told = coalesce($3, told), is_done = $4, error = $5, said = $8,
             tries = CASE WHEN $3::bigint IS NULL THEN tries ELSE 0 END,
             due_at = coalesce($7, now() + $6 * interval '1 millisecond')
         WHERE job_id = $1 AND tries = $2",
        answer.job.as_uuid(),
        answer.tries,
        told,
        *next == Next::Done,
        error,
        pause,
        at,
        answer.said,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Where at GitHub a job was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedThread {
    pub repository: String,
    /// Of the issue or pull request.
    pub number: i64,
    pub is_pull_request: bool,
    pub asked: Asked,
}

impl AskedThread {
    /// Where people read it; `web` is GitHub's own address.
    pub fn address(&self, web: &Url) -> String {
        let Self { repository, number, is_pull_request, asked } = self;
        let (web, kind) =
            (web.as_str().trim_end_matches('/'), if *is_pull_request { "pull" } else { "issues" });
        let comment = match asked.place {
            AskedIn::Issue => String::new(),
            AskedIn::Comment => format!("#issuecomment-{}", asked.id),
            AskedIn::ReviewComment => format!("#discussion_r{}", asked.id),
        };
        format!("{web}/{repository}/{kind}/{number}{comment}")
    }
}

/// Where a job was asked for, if that was at GitHub.
pub async fn asked_in(db: impl PgExecutor<'_>, job: JobId) -> Result<Option<AskedThread>> {
    let row = sqlx::query!(
        "SELECT repository, number, asked_in, asked_id, head_sha FROM github_answers WHERE job_id = $1",
        job.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let place = row.asked_in.as_deref().map(AskedIn::read).transpose()?;
    let asked = place.zip(row.asked_id).map(|(place, id)| Asked { place, id });
    Ok(row.number.zip(asked).map(|(number, asked)| AskedThread {
        repository: row.repository,
        number,
        // Only a pull request has a head.
        is_pull_request: row.head_sha.is_some(),
        asked,
    }))
}

/// Why GitHub could not be told of a job, where that is so.
pub async fn problem(db: impl PgExecutor<'_>, job: JobId) -> Result<Option<String>> {
    let error = sqlx::query_scalar!("SELECT error FROM github_answers WHERE job_id = $1", job.as_uuid())
        .fetch_optional(db)
        .await?;
    Ok(error.flatten())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
