//! Whether an agent can be started, as a runner sees it.

use serde::{Deserialize, Serialize};

/// What there is of an agent on a runner's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct AgentStatus {
    /// How jobs call it: `claude`.
    pub name: String,
    pub title: String,
    pub installed: bool,
    /// What it answers when it is asked for its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The command that installs it; absent for what is part of Millrace or the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// Variables of which one must hold a credential. Empty: it needs none.
    pub wanted_credentials: Vec<String>,
    /// Those that are set; never what they hold.
    pub credentials: Vec<String>,
    /// It can go on with an earlier session.
    pub resumes: bool,
}

impl AgentStatus {
    /// Whether a job could be given to it.
    pub fn is_ready(&self) -> bool {
        self.installed && (self.wanted_credentials.is_empty() || !self.credentials.is_empty())
    }
}
