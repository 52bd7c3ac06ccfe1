//! Pull requests.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{Client, GitHubError};
use crate::github::RepositoryName;

#[derive(Clone, Debug, Deserialize)]
pub struct Pull {
    pub number: i64,
    pub html_url: String,
}

/// A pull request to be opened, between two branches of one repository.
#[derive(Clone, Debug, Serialize)]
pub struct NewPull<'a> {
    pub title: &'a str,
    pub body: &'a str,
    pub head: &'a str,
    pub base: &'a str,
    pub draft: bool,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

impl Client {
    /// The open pull request of a branch of this repository.
    pub async fn pull_of_branch(
        &self,
        repository: &RepositoryName,
        branch: &str,
    ) -> Result<Option<Pull>, GitHubError> {
        let (owner, branch) = (repository.owner(), utf8_percent_encode(branch, NON_ALPHANUMERIC));
        let path = format!("/repos/{repository}/pulls?state=open&head={owner}:{branch}");
        let found: Vec<Pull> = self.get(&path).await?;
        Ok(found.into_iter().next())
    }

    pub async fn open_pull(
        &self,
        repository: &RepositoryName,
        new: &NewPull<'_>,
    ) -> Result<Pull, GitHubError> {
        self.post(&format!("/repos/{repository}/pulls"), new).await
    }

    pub async fn default_branch(&self, repository: &RepositoryName) -> Result<String, GitHubError> {
        let found: Repository = self.get(&format!("/repos/{repository}")).await?;
        Ok(found.default_branch)
    }
}
