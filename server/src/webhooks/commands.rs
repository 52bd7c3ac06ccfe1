//! `@millrace cancel | retry | status | help`: what can be done with the jobs of a thread.

use std::fmt::Write as _;

use app::model::{ApiError, Job, JobId, JobState, Timestamp, Verdict};

use super::{Failure, Settled, Webhooks, judge::Case};
use crate::{
    db::{self, Visible, github_threads},
    github::{event::Thread, mention::Command},
};

/// How many jobs `status` tells.
const TOLD: usize = 5;
/// The most jobs of one conversation.
const MANY: i64 = 200;

impl Webhooks {
    pub(super) async fn command(
        &self,
        case: &Case<'_>,
        thread: &Thread,
        command: Command,
    ) -> Result<Settled, Failure> {
        let db = self.lifecycle.db();
        let first = self.conversation_of(case, thread).await?;
        let jobs = match first {
            Some(first) => db::conversation(db, first, Visible::All, MANY).await?,
            None => Vec::new(),
        };
        let last = match first {
            Some(first) => github_threads::last_job(db, first).await?.map(|owned| owned.job),
            None => None,
        };
        let text = match command {
            Command::Help => self.help(),
            Command::Status => self.status(&jobs),
            Command::Cancel => self.cancel(case, &jobs).await?,
            Command::Retry => match (first, &last) {
                (Some(first), Some(last)) => return self.retry(case, thread, first, last).await,
                _ => self.status(&[]),
            },
        };
        self.reply(case, thread.number, &text).await?;
        let settled = Settled::new(Verdict::Answered, format!("It was answered: {}", first_line(&text)));
        Ok(match last {
            Some(job) if command != Command::Help => settled.about(job.id),
            _ => settled,
        })
    }

    fn help(&self) -> String {
        let handle = &self.config.github.mention;
        let agents =
            self.rules.agents.iter().map(|agent| format!("`{agent}`")).collect::<Vec<_>>().join(", ");
        format!(
            "`@{handle} fix the flaky test` starts a coding agent here. Before the text there may be `agent=`, `model=`, \
             `priority=` (`critical`, `high`, `normal`, `low`) and `base=` (the branch to begin from).\n\n\
             - `@{handle} status` tells how it stands\n\
             - `@{handle} cancel` stops what runs or waits here\n\
             - `@{handle} retry` tries the last job again\n\n\
             Agents: {agents}. A later mention goes on with the same work."
        )
    }

    fn status(&self, jobs: &[Job]) -> String {
        if jobs.is_empty() {
            return format!(
                "There are no jobs here yet. `@{} help` says how to ask for one.",
                self.config.github.mention
            );
        }
        let latest = &jobs[jobs.len().saturating_sub(TOLD)..];
        latest.iter().rev().fold("How it stands, the latest first:\n\n".to_owned(), |mut text, job| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "- {}: {}", self.link(job), state(job));
            text
        })
    }

    async fn cancel(&self, case: &Case<'_>, jobs: &[Job]) -> Result<String, Failure> {
        let mut canceled = Vec::new();
        for job in jobs.iter().rev() {
            if job.state.is_finished() {
                if job.state == JobState::Canceled && was_before(case, job.finished_at) {
                    canceled.push(self.link(job));
                }
                continue;
            }
            match self.lifecycle.cancel(job.id).await {
                Ok(()) => canceled.push(self.link(job)),
                // It has ended meanwhile.
                Err(ApiError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(match canceled.as_slice() {
            [] => "Nothing runs or waits here, so there is nothing to cancel.".to_owned(),
            [one] => format!("Canceled {one}."),
            several => format!("Canceled {}.", several.join(", ")),
        })
    }

    /// One more try costs what a job costs, and is counted as one.
    async fn retry(
        &self,
        case: &Case<'_>,
        thread: &Thread,
        first: JobId,
        job: &Job,
    ) -> Result<Settled, Failure> {
        let is_done = was_before(case, job.queued_at);
        if !is_done && let Some(settled) = self.guarded(case, first, thread.number).await? {
            return Ok(settled);
        }
        let tried = if is_done { Ok(()) } else { self.lifecycle.retry(job.id).await.map(drop) };
        let (verdict, text) = match tried {
            Ok(()) => (Verdict::Ran, format!("Trying {} again.", self.link(job))),
            Err(ApiError::Conflict(why)) => (Verdict::Answered, format!("{}: {why}", self.link(job))),
            Err(error) => return Err(error.into()),
        };
        self.reply(case, thread.number, &text).await?;
        Ok(Settled::new(verdict, text).about(job.id))
    }

    fn link(&self, job: &Job) -> String {
        format!("[job {}]({}/jobs/{})", job.id.short(), self.config.server.public_address(), job.id)
    }
}

/// Whether an earlier try of this delivery did it, whose answer GitHub did not take.
fn was_before(case: &Case<'_>, done_at: Option<Timestamp>) -> bool {
    let received_at = case.claimed.received_at.timestamp_millis();
    case.claimed.in_a_row > 1 && done_at.is_some_and(|at| at.0 >= received_at)
}

fn state(job: &Job) -> &'static str {
    match job.state {
        JobState::Scheduled => "waits for its turn",
        JobState::Queued => "waits for a free slot",
        JobState::Running if job.cancel_requested => "is being stopped",
        JobState::Running => "runs",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Canceled => "was canceled",
        JobState::Parked => "waits until its agent has quota again",
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}
