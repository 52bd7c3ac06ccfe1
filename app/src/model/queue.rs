//! Lanes and the board.

use serde::{Deserialize, Serialize};

use super::{Job, JobId, Kind, Priority, Timestamp};

/// A queue as people see it: one for each kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Lane {
    pub kind: Kind,
    /// How many attempts may run at once, over all runners.
    pub concurrency: u32,
    /// How many attempts may start within a minute, over all runners; absent where there is no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// How many started within the last minute.
    pub started: u32,
    pub running: u32,
    /// Queued jobs; those that wait for a time are `scheduled`.
    pub waiting: u32,
    pub scheduled: u32,
    /// The queued ones by priority, the most urgent first.
    pub depth: Vec<Depth>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Agents whose quota is used up; their jobs are parked until it is there again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<UsedUp>,
}

/// An agent whose provider says that the quota is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct UsedUp {
    pub agent: String,
    /// What the provider said.
    pub reason: String,
    /// When its jobs are tried again.
    pub until: Timestamp,
    /// How many jobs wait for it.
    pub parked: u32,
}

/// How many jobs of one priority are queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Depth {
    pub priority: Priority,
    pub waiting: u32,
}

/// Why a lane starts nothing, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Pause {
    pub reason: String,
    /// The login of who paused it; absent where Millrace did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub since: Timestamp,
    /// When it goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How the work of all lanes goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub waiting: u32,
    pub running: u32,
    /// Ended in the last 24 hours.
    pub succeeded: u32,
    pub failed: u32,
    pub canceled: u32,
    /// Runners that were heard of in the last seconds.
    pub runners: u32,
}

impl Figures {
    /// Succeeded of those that ended by themselves, in whole percent, rounded down so that 100 means all.
    pub fn success_rate(&self) -> Option<u32> {
        let ended = u64::from(self.succeeded) + u64::from(self.failed);
        (ended > 0).then(|| u32::try_from(u64::from(self.succeeded) * 100 / ended).unwrap_or(100))
    }
}

/// All that the first page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    pub lanes: Vec<Lane>,
    pub figures: Figures,
    /// Jobs that run, the latest started first.
    pub running: Vec<Job>,
    /// Jobs that wait, the next one first; bounded, `figures.waiting` counts all.
    pub waiting: Vec<Job>,
    /// There are more behind these under the filter.
    #[serde(default)]
    pub more_waiting: bool,
    /// Jobs that ended, the latest first.
    pub finished: Vec<Job>,
    /// The cursor for older finished jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The newest line of each running job.
    pub last_lines: Vec<LastLine>,
}

/// The newest line that a running job printed, shortened, without ANSI sequences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastLine {
    pub id: JobId,
    pub line: String,
}
