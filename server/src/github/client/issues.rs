//! Issues and what pull requests have in common with them: comments and reactions.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Client, GitHubError};
use crate::github::{RepositoryName, event::Account};

#[derive(Clone, Debug, Deserialize)]
pub struct Comment {
    pub id: i64,
    /// Nobody where the account is gone.
    #[serde(default)]
    pub user: Option<Account>,
    /// Empty for some that were written by programs.
    #[serde(default)]
    pub body: Option<String>,
}

/// What gets a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reacted {
    /// An issue or a pull request itself, by its number.
    Issue(i64),
    Comment(i64),
    /// A comment on a line of a pull request.
    ReviewComment(i64),
}

impl Client {
    /// Says with eyes that something was seen. A second time changes nothing.
    pub async fn react_with_eyes(&self, repository: &RepositoryName, to: Reacted) -> Result<(), GitHubError> {
        let place = match to {
            Reacted::Issue(number) => format!("issues/{number}"),
            Reacted::Comment(id) => format!("issues/comments/{id}"),
            Reacted::ReviewComment(id) => format!("pulls/comments/{id}"),
        };
        let path = format!("/repos/{repository}/{place}/reactions");
        self.post::<Value>(&path, &json!({ "content": "eyes" })).await.map(drop)
    }

    /// Comments of an issue or pull request that were written or changed since then, the oldest first.
    pub async fn comments(
        &self,
        repository: &RepositoryName,
        number: i64,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<Comment>, GitHubError> {
        let since = since
            .map(|time| format!("?since={}", time.to_rfc3339_opts(SecondsFormat::Secs, true)))
            .unwrap_or_default();
        self.get_all(&format!("/repos/{repository}/issues/{number}/comments{since}")).await
    }

    pub async fn comment(
        &self,
        repository: &RepositoryName,
        number: i64,
        body: &str,
    ) -> Result<Comment, GitHubError> {
        self.post(&format!("/repos/{repository}/issues/{number}/comments"), &json!({ "body": body })).await
    }

    pub async fn edit_comment(
        &self,
        repository: &RepositoryName,
        id: i64,
        body: &str,
    ) -> Result<Comment, GitHubError> {
        self.patch(&format!("/repos/{repository}/issues/comments/{id}"), &json!({ "body": body })).await
    }
}
