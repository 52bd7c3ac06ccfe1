//! What became of an attempt of an agent: more than its state can say.

use serde::{Deserialize, Serialize};

use super::{Job, Usage, text_enum::text_enum};

text_enum! {
    /// How an attempt of an agent ended. The first two are successes; the others say why it failed.
    AgentOutcome {
        /// There is a commit.
        Changed = "changed",
        /// The agent finished and left nothing to commit.
        NoChange = "no_change",
        /// The provider does not accept the key.
        Authentication = "authentication",
        /// The provider's quota is used up until a time it names.
        Quota = "quota",
        /// The provider kept asking to slow down.
        RateLimited = "rate_limited",
        /// A limit of the attempt itself: turns, money, memory, processes, file size, …
        LimitReached = "limit_reached",
        /// The time for the attempt was over, or the agent was silent for too long.
        Timeout = "timeout",
        /// It was ended from outside.
        Killed = "killed",
        /// It ended without a last word.
        Crashed = "crashed",
        /// It says that it failed, for another reason.
        AgentError = "agent_error",
        /// The changes hold something that looks like a secret, so they were not published.
        SecretFound = "secret_found",
    }
}

impl AgentOutcome {
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Changed | Self::NoChange)
    }
}

text_enum! {
    /// What kept an attempt from the rest of the machine.
    Protection {
        /// Its own file system, processes and network; the only way out is Millrace's proxy.
        Sandbox = "sandbox",
        /// A process group and an environment from an allow-list, nothing more.
        None = "none",
    }
}

/// What is known of an attempt that an agent made; grows while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct AgentRun {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AgentOutcome>,
    /// The agent's own version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The model that it said it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The agent's own name for the conversation, by which it can be continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The branch that was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit at the head of that branch, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// What the agent says it did, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeFigures>,
}

/// How much was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ChangeFigures {
    pub files: u32,
    pub additions: u32,
    pub deletions: u32,
    /// How many commits it took.
    #[serde(default)]
    pub commits: u32,
}

/// One job of a conversation, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub job: Job,
    /// What was asked; the beginning of it where it is long.
    pub asked: String,
    /// What came of it: what is known of the latest attempt.
    pub run: Option<AgentRun>,
}
