//! Pull requests.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
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

/// A branch's name may have several parts.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');

#[derive(Deserialize)]
struct Branch {
    commit: Tip,
}

#[derive(Deserialize)]
struct Tip {
    sha: String,
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

    /// The commit that a branch points to; none where it is gone.
    pub async fn branch_head(
        &self,
        repository: &RepositoryName,
        branch: &str,
    ) -> Result<Option<String>, GitHubError> {
        let branch = utf8_percent_encode(branch, IN_PATH);
        match self.get::<Branch>(&format!("/repos/{repository}/branches/{branch}")).await {
            Ok(Branch { commit }) => Ok(Some(commit.sha)),
            Err(GitHubError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
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
