//! Who may do what in a repository.

use serde::Deserialize;

use super::{Client, GitHubError};
use crate::github::RepositoryName;

#[derive(Deserialize)]
struct Permission {
    #[serde(default)]
    permission: String,
    #[serde(default)]
    role_name: String,
}

impl Client {
    /// Whether `login` may push to the repository, by GitHub's own word. Whoever GitHub does not know there may not.
    pub async fn may_write(&self, repository: &RepositoryName, login: &str) -> Result<bool, GitHubError> {
        // A login is part of an address here, and comes from an event.
        let is_login = !login.is_empty()
            && login
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '[' | ']'));
        if !is_login {
            return Ok(false);
        }
        let login = login.replace('[', "%5B").replace(']', "%5D");
        let path = format!("/repos/{repository}/collaborators/{login}/permission");
        match self.get::<Permission>(&path).await {
            // `maintain` is `write` in the older field, and a role of its own in the newer one.
            Ok(Permission { permission, role_name }) => Ok([permission, role_name]
                .iter()
                .any(|word| matches!(word.as_str(), "admin" | "maintain" | "write"))),
            Err(GitHubError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
