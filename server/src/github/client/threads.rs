//! What was said in an issue or a pull request, what a check says, and files of a repository.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};

use super::{Client, GitHubError};
use crate::github::{
    RepositoryName,
    event::{Account, Branches},
};

/// How many comments one page has.
const PAGE: u64 = 100;
/// A last page with fewer comments is read together with the one before it.
const FEW: usize = 40;
/// The largest file that is read, in bytes.
const FILE_BYTES: usize = 1 << 20;

/// A comment of a thread, or what a review says as a whole.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    pub id: i64,
    pub user: Option<Account>,
    pub body: Option<String>,
    /// A review is submitted, and has none while it is being written.
    #[serde(alias = "submitted_at", default)]
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The file that it is about, in a review.
    pub path: Option<String>,
    pub diff_hunk: Option<String>,
    /// What a review says in one word.
    pub state: Option<String>,
}

impl Said {
    pub fn is_review(&self) -> bool {
        self.state.is_some()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct PullState {
    pub state: String,
    #[serde(flatten)]
    pub branches: Branches,
    /// Who may push to the repository may push to the branch, although that is in a fork.
    #[serde(default)]
    pub maintainer_can_modify: bool,
}

/// A line that a check complains about.
#[derive(Clone, Debug, Deserialize)]
pub struct Annotation {
    #[serde(default)]
    pub path: String,
    pub start_line: Option<u64>,
    pub message: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    comments: u64,
    pull_request: Option<IgnoredAny>,
}

impl Client {
    pub async fn pull_state(
        &self,
        repository: &RepositoryName,
        number: i64,
    ) -> Result<PullState, GitHubError> {
        self.get(&format!("/repos/{repository}/pulls/{number}")).await
    }

    /// The latest comments of an issue or a pull request, the oldest first, with those on lines of its diff and
    /// the reviews.
    pub async fn latest_said(
        &self,
        repository: &RepositoryName,
        number: i64,
    ) -> Result<Vec<Said>, GitHubError> {
        let issue: Issue = self.get(&format!("/repos/{repository}/issues/{number}")).await?;
        let page = async |page: u64| {
            let path = format!("/repos/{repository}/issues/{number}/comments?per_page={PAGE}&page={page}");
            self.get::<Vec<Said>>(&path).await
        };
        let last = issue.comments.div_ceil(PAGE).max(1);
        let mut said = page(last).await?;
        if said.len() < FEW && last > 1 {
            said.splice(0..0, page(last - 1).await?);
        }
        if issue.pull_request.is_some() {
            let path = format!(
                "/repos/{repository}/pulls/{number}/comments?sort=created&direction=desc&per_page={PAGE}"
            );
            said.extend(self.get::<Vec<Said>>(&path).await?);
            // These come the oldest first, and are few.
            said.extend(self.get_all::<Said>(&format!("/repos/{repository}/pulls/{number}/reviews")).await?);
            said.sort_by_key(|said| said.created_at);
        }
        Ok(said)
    }

    pub async fn check_annotations(
        &self,
        repository: &RepositoryName,
        check: i64,
    ) -> Result<Vec<Annotation>, GitHubError> {
        self.get(&format!("/repos/{repository}/check-runs/{check}/annotations?per_page=50")).await
    }

    /// A file at the tip of the default branch; none where there is none, or where it is no text. `path` is one of ours.
    pub async fn file(&self, repository: &RepositoryName, path: &str) -> Result<Option<String>, GitHubError> {
        let content: Content = match self.get(&format!("/repos/{repository}/contents/{path}")).await {
            Err(GitHubError::NotFound) => return Ok(None),
            content => content?,
        };
        if content.encoding != "base64" || content.content.len() > FILE_BYTES {
            return Ok(None);
        }
        let packed: String = content.content.split_whitespace().collect();
        Ok(BASE64_STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}
