//! Runners as the operator sees them.

use serde::{Deserialize, Serialize};

use super::{JobId, Kind, Timestamp};

/// A process that executes attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunnerInfo {
    pub name: String,
    pub version: String,
    pub slots: u32,
    pub lanes: Vec<Kind>,
    pub started_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// It was heard of in the last seconds.
    pub online: bool,
    /// It finishes what it runs and takes nothing new.
    pub draining: bool,
    /// What it runs, the oldest first.
    pub running: Vec<RunnerJob>,
}

/// A job in a runner's hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunnerJob {
    pub id: JobId,
    pub attempt: u32,
    pub kind: Kind,
    pub title: String,
    pub started_at: Timestamp,
}
