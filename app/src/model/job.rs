//! A job: what somebody asked for, and how it stands.

use serde::{Deserialize, Serialize};

use super::{AgentOutcome, Attempt, JobId, Timestamp, Waiting, address::address, text_enum::text_enum};

text_enum! {
    /// What a job does; each kind has its own lane.
    Kind {
        /// A coding agent works on a prompt.
        Agent = "agent",
        /// A script runs in a fresh checkout.
        Command = "command",
    }
}

text_enum! {
    JobState {
        /// Waits for a time (a delayed start or the pause before a retry), or for the job before it in its conversation.
        Scheduled = "scheduled",
        Queued = "queued",
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
        /// Waits until its agent's quota is there again.
        Parked = "parked",
    }
}

impl JobState {
    /// Nothing will happen any more unless somebody retries the job.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

text_enum! {
    /// Ordered: a more urgent priority is less than a less urgent one.
    Priority {
        Critical = "critical",
        High = "high",
        Normal = "normal",
        Low = "low",
    }
}

text_enum! {
    /// What made the job.
    Trigger {
        Webhook = "webhook",
        Dashboard = "dashboard",
        Api = "api",
        Schedule = "schedule",
        FollowUp = "follow_up",
    }
}

/// A job as lists and live events carry it: everything but the text that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Job {
    pub id: JobId,
    pub kind: Kind,
    pub state: JobState,
    pub priority: Priority,
    /// The number of the latest attempt; 0 before the first.
    pub attempt: u32,
    /// How many attempts may fail before the job has failed. One whose runner was lost or stopped does not count.
    pub max_attempts: u32,
    /// The first line of the prompt or script, shortened for a heading.
    pub title: String,
    pub repository: String,
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub trigger: Trigger,
    /// The login of who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    pub created_at: Timestamp,
    /// When it last entered the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// When the latest attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Not before this time, for a job that is `scheduled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Coarse progress of the running attempt: `checkout`, `command`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// How far the running attempt says it is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How the latest attempt of an agent ended, more exactly than `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AgentOutcome>,
    /// The branch that an agent's work is published on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where its work can be reviewed: the address of the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
    /// The job that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<JobId>,
    /// The first job of the conversation that this one belongs to, where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<JobId>,
    /// Somebody asked a running job to stop; it is on its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// Grows with every change of the job: an event with a smaller one is old news.
    pub revision: i64,
}

impl Job {
    /// Since when it runs or ran, or since when it is queued.
    pub fn standing_since(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Scheduled | JobState::Parked => None,
            JobState::Queued => self.queued_at,
            _ => self.started_at,
        }
    }

    /// Its place among finished jobs, as a cursor begins with it: `<ended at, in milliseconds>.<id>`.
    pub fn finished_place(&self) -> String {
        format!("{}.{}", self.finished_at.map_or(0, |at| at.0), self.id)
    }
}

/// A job with what was asked for and its attempts, the latest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: Job,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    pub attempts: Vec<Attempt>,
    /// What a job that waits waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How long earlier jobs of this kind and repository took, in milliseconds: the median of the last ones that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ms: Option<u64>,
    /// The jobs of the conversation that it belongs to, the oldest first; empty for a job that stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversation: Vec<Job>,
    /// The address of the issue, pull request or comment that asked for it, where it was asked for at GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_in: Option<String>,
    /// Why GitHub could not be told of it, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_told: Option<String>,
}

/// What to make a job of, as it arrives: nothing in it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NewJob {
    pub kind: String,
    pub repository: String,
    #[serde(rename = "ref")]
    pub git_ref: Option<String>,
    pub script: Option<String>,
    pub prompt: Option<String>,
    pub agent: Option<String>,
    pub model: Option<String>,
    /// The job to continue: same repository, branch and, where the agent can, conversation.
    pub parent: Option<String>,
    pub priority: Option<String>,
    pub max_attempts: Option<u32>,
    /// The pause before the second attempt, in milliseconds; doubled before each further one.
    pub backoff_ms: Option<i64>,
    /// Not before this time: milliseconds since the epoch.
    pub run_at: Option<i64>,
    /// Of several requests with the same key one makes a job, and all are answered with it. A key is forgotten after 7 days,
    /// and with its job.
    pub idempotency_key: Option<String>,
}

impl NewJob {
    /// A script or prompt that is longer than this is left out of an address: servers and proxies bound it.
    const LONGEST_TEXT: usize = 16 * 1024;

    /// A text if an address can hold it.
    pub(super) fn short(text: Option<&str>) -> Option<&str> {
        text.filter(|text| text.len() <= Self::LONGEST_TEXT)
    }

    /// The page where this job can be changed and asked for.
    pub fn address(&self) -> String {
        let (attempts, run_at) =
            (self.max_attempts.map(|n| n.to_string()), self.run_at.map(|at| at.to_string()));
        address(
            "/new",
            &[
                ("kind", Some(self.kind.as_str())),
                ("repository", Some(self.repository.as_str())),
                ("ref", self.git_ref.as_deref()),
                ("script", Self::short(self.script.as_deref())),
                ("prompt", Self::short(self.prompt.as_deref())),
                ("parent", self.parent.as_deref()),
                ("agent", self.agent.as_deref()),
                ("model", self.model.as_deref()),
                ("priority", self.priority.as_deref()),
                ("max_attempts", attempts.as_deref()),
                ("run_at", run_at.as_deref()),
            ],
        )
    }
}

/// Which jobs to list. An empty filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default)]
pub struct JobFilter {
    pub state: Option<JobState>,
    pub kind: Option<Kind>,
    pub repository: Option<String>,
    /// Words to find in title and repository.
    pub q: Option<String>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

impl JobFilter {
    /// The same filter from its beginning.
    #[must_use]
    pub fn first_page(self) -> Self {
        Self { cursor: None, ..self }
    }

    /// The board under this filter.
    pub fn address(&self) -> String {
        address(
            "/",
            &[
                ("state", self.state.map(JobState::as_str)),
                ("kind", self.kind.map(Kind::as_str)),
                ("repository", self.repository.as_deref()),
                ("q", self.q.as_deref()),
                ("cursor", self.cursor.as_deref()),
            ],
        )
    }

    /// The address of a server function that takes a filter, with this one.
    pub fn query(&self, function: &str) -> String {
        address(
            function,
            &[
                ("filter[state]", self.state.map(JobState::as_str)),
                ("filter[kind]", self.kind.map(Kind::as_str)),
                ("filter[repository]", self.repository.as_deref()),
                ("filter[q]", self.q.as_deref()),
                ("filter[cursor]", self.cursor.as_deref()),
            ],
        )
    }

    /// Whether the filter lists this job: the browser decides so for jobs that it hears of.
    pub fn admits(&self, job: &Job) -> bool {
        let words = self.q.as_deref().unwrap_or_default().to_lowercase();
        let text = format!("{} {}", job.title, job.repository).to_lowercase();
        self.state.is_none_or(|state| state == job.state)
            && self.kind.is_none_or(|kind| kind == job.kind)
            && self.repository.as_ref().is_none_or(|repository| *repository == job.repository)
            && words.split_whitespace().all(|word| text.contains(word))
    }
}

/// A page of jobs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct JobPage {
    pub jobs: Vec<Job>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
