//! One execution of a job.

use serde::{Deserialize, Serialize};

use super::{AgentRun, Timestamp, text_enum::text_enum};

text_enum! {
    /// How one execution of a job stands.
    AttemptState {
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
        /// Its runner stopped renewing the lease; the job went back to the queue.
        Lost = "lost",
    }
}

/// One execution of a job, numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Attempt {
    pub attempt: u32,
    pub state: AttemptState,
    /// The name of the runner that executes it.
    pub runner: String,
    pub started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it did not succeed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The commit that was checked out, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How many lines it printed; known once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// What the agent did, for a job of kind `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRun>,
}
