//! What GitHub is told.

use serde::Deserialize;

use crate::github::{Client, GitHubError, RepositoryName};

#[derive(Deserialize)]
struct Comment {
    body: Option<String>,
}

/// Writes a comment once: one with the marker is looked for before.
pub async fn say(
    client: &Client,
    repository: &RepositoryName,
    number: i64,
    marker: &str,
    text: &str,
) -> Result<(), GitHubError> {
    let path = format!("/repos/{repository}/issues/{number}/comments");
    let said: Vec<Comment> = client.get_all(&path).await?;
    if said.iter().any(|comment| comment.body.as_deref().is_some_and(|body| body.contains(marker))) {
        return Ok(());
    }
    let body = serde_json::json!({ "body": format!("{marker}\n{text}") });
    client.post::<serde::de::IgnoredAny>(&path, &body).await.map(drop)
}
