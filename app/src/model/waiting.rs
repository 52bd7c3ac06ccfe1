//! Why a job has not started yet.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What stands between a waiting job and its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Waiting {
    /// What blocks it; what holds longest first. Empty when it is about to start.
    pub reasons: Vec<WaitReason>,
    /// How many jobs of its lane go before it, about: shares may change while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How long until it starts, in milliseconds, judged by how the lane went lately; absent when nobody can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<u64>,
}

/// One thing that keeps a job waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WaitReason {
    /// It was asked for later.
    RunAt { at: Timestamp },
    /// An attempt failed; the next one starts after a pause.
    Retry { at: Timestamp, attempt: u32 },
    /// The agent's provider says that the quota is used up.
    Quota { agent: String, until: Timestamp },
    /// Another job of the same conversation has to end first.
    Conversation,
    /// The lane is paused.
    Paused {
        why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// No runner that takes this lane is there.
    NoRunner,
    /// The runners that take this lane finish what they run and take nothing new.
    Draining,
    /// The lane has started as many jobs as it may within a minute.
    Rate { per_minute: u32, next_at: Timestamp },
    /// As many jobs of the lane run as may run at once.
    Concurrency { limit: u32 },
    /// All runners that take this lane have their hands full.
    NoSlot,
    /// Other jobs go first.
    EarlierJobs { count: u64 },
}
