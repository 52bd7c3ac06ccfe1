//! What the operator's page shows, and what can be done there.

use serde::{Deserialize, Serialize};

use super::{Job, JobId, JobState, Kind, Lane, RunnerInfo, Timestamp};

/// How the whole installation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    pub lanes: Vec<Lane>,
    /// Online ones first, by name.
    pub runners: Vec<RunnerInfo>,
    /// Failures of the last 24 hours, the most frequent first.
    pub failures: Vec<FailureGroup>,
    /// The jobs that have been queued for longest.
    pub oldest: Vec<Job>,
    /// The last hour, one entry a minute, the oldest first, without gaps.
    pub history: Vec<Minute>,
}

/// Jobs that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    pub kind: Kind,
    pub error: String,
    pub count: u32,
    pub last_at: Timestamp,
    pub last_job: JobId,
}

/// What happened in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// The minute's start, milliseconds since the epoch.
    pub at: i64,
    pub started: u32,
    pub succeeded: u32,
    pub failed: u32,
    /// The median of how long the jobs that started had waited, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Stops a lane from starting jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PauseRequest {
    pub reason: String,
    /// When it goes on by itself; never when it is left out.
    pub until: Option<Timestamp>,
}

/// Removes jobs of a lane that have ended, or cancels and removes those that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct CleanRequest {
    /// `succeeded`, `failed`, `canceled`, `queued`, `scheduled` or `parked`.
    pub state: String,
    /// Seconds since they ended, or since they were made when they wait.
    pub older_than: i64,
    /// Count only.
    pub dry_run: bool,
}

/// What a clean-up removed, or would remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Cleaned {
    pub state: JobState,
    pub jobs: u64,
    /// Lines of output that went with them.
    pub lines: u64,
    /// Some of them, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Job>,
}
