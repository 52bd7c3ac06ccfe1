//! Table `github_answers`: what GitHub was told of a job, and what is left to tell.
//!
//! Whoever works on a row has claimed it: `due_at` lies in the future then, and `tries` has grown, which is the fence of
//! every later write.

use std::time::Duration;

use app::model::JobId;
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};

use super::{JobRow, OwnedJob, unreadable};
use crate::github::RepositoryName;

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
}

/// Opens the answer to a job; nothing when there is one.
pub async fn open(db: impl PgExecutor<'_>, new: &NewAnswer<'_>) -> Result<()> {
    sqlx::query!(
        "INSERT INTO github_answers (job_id, repository, number, asked_in, asked_id, head_sha, base)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id) DO NOTHING",
        new.job.as_uuid(),
        new.repository.as_str(),
        new.number,
        new.asked.map(|asked| asked.place.as_str()),
        new.asked.map(|asked| asked.id),
        new.head_sha,
        new.base,
    )
    .execute(db)
    .await?;
    Ok(())
}

