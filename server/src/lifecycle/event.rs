//! News for everybody who watches, on its way through Redis.

use app::model::{Job, JobId, Lane, LastLine, UserId};
use serde::{Deserialize, Serialize};

use crate::db::Visible;

/// Something changed. `owner` decides who may hear of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all events are jobs, and each lives behind one `Arc`")]
pub enum Event {
    /// A job was made or changed.
    Job { job: Job, owner: Option<UserId> },
    /// A running job printed.
    Line { line: LastLine, owner: Option<UserId> },
    /// A job is gone.
    Deleted { id: JobId, owner: Option<UserId> },
    /// A lane was paused or goes on.
    Lane { lane: Lane },
}

impl Event {
    pub fn is_for(&self, visible: Visible) -> bool {
        match (self, visible) {
            (_, Visible::All) | (Self::Lane { .. }, _) => true,
            (
                Self::Job { owner, .. } | Self::Line { owner, .. } | Self::Deleted { owner, .. },
                Visible::Of(user),
            ) => *owner == Some(user),
        }
    }
}
