//! Who may come in, and where from they did.

use serde::{Deserialize, Serialize};

use super::{Role, SessionId, Timestamp, UserId};

/// Somebody who may come in, or who was sent away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: UserId,
    pub login: String,
    pub role: Role,
    /// The GitHub account that is theirs.
    pub github_login: Option<String>,
    pub is_removed: bool,
    /// To the minute, in a browser or with a token.
    pub last_seen_at: Option<Timestamp>,
}

/// Everybody, and whom the settings let in besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    pub accounts: Vec<Account>,
    /// As the settings have them: `ada`, `org:acme`, `team:acme/builders`.
    pub members: Vec<String>,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SignedIn {
    pub id: SessionId,
    /// Such as "Firefox on Linux".
    pub browser: String,
    pub created_at: Timestamp,
    /// To the minute.
    pub last_seen_at: Timestamp,
    /// The one that asks.
    pub is_this_one: bool,
}
