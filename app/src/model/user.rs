//! People and what they may see.

use serde::{Deserialize, Serialize};

use super::{UserId, text_enum::text_enum};

text_enum! {
    /// What a person may see and do.
    Role {
        /// Sees and manages everything.
        Owner = "owner",
        /// Sees the jobs they made, or the team's by setting.
        Member = "member",
    }
}

impl Role {
    /// Whether a page of ours is for such people, and so worth a link: the lanes and the deliveries are for owners.
    pub fn may_open(self, page: &str) -> bool {
        self == Self::Owner || !["/lanes", "/deliveries"].iter().any(|owners| page.starts_with(owners))
    }
}

/// Somebody who signed in, or in whose name a token acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// The short name shown beside their jobs; a GitHub login where there is one.
    pub login: String,
    pub role: Role,
}
