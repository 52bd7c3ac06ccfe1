//! How Millrace is connected to GitHub, as owners see it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHubConnection {
    /// Where GitHub is.
    pub url: String,
    pub app: Option<GitHubApp>,
    /// A token in the settings takes the App's place.
    pub has_token: bool,
    pub installations: Vec<Installation>,
}

/// The GitHub App of this installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHubApp {
    pub name: String,
    /// Its page at GitHub.
    pub address: String,
}

impl GitHubApp {
    /// Where repositories are chosen for it.
    pub fn install_address(&self) -> String {
        format!("{}/installations/new", self.address)
    }
}

/// An account that the App is installed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    pub account: String,
    /// Where it is changed at GitHub.
    pub address: String,
    pub suspended_at: Option<Timestamp>,
    pub repositories: Vec<InstalledRepository>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledRepository {
    pub name: String,
    pub is_private: bool,
}

/// The form that makes an App at GitHub: what to post there, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppForm {
    pub action: String,
    pub manifest: String,
    /// How the App is to be called.
    pub name: String,
    /// GitHub cannot reach this server where it says it is.
    pub is_unreachable: bool,
}
