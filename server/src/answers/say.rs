//! A comment that is posted once, whatever happens on the way.

use chrono::{DateTime, Utc};

use crate::github::{Client, GitHubError, RepositoryName};

/// The longest comment that GitHub takes, in characters, with some room.
const MOST: usize = 65_000;

/// Says `text` in an issue or pull request, unless a comment with this marker is there: `<!-- millrace:… -->`.
pub async fn say(
    client: &Client,
    repository: &RepositoryName,
    number: i64,
    marker: &str,
    text: &str,
) -> Result<(), GitHubError> {
    match find(client, repository, number, marker, None).await? {
        Some(_) => Ok(()),
        None => client.comment(repository, number, &marked(text, marker)).await.map(drop),
    }
}

/// The comment with this marker. Only Millrace knows a marker before its comment is there, so the oldest is its own.
pub(super) async fn find(
    client: &Client,
    repository: &RepositoryName,
    number: i64,
    marker: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Option<i64>, GitHubError> {
    let comments = client.comments(repository, number, since).await?;
    let mut own =
        comments.iter().filter(|comment| comment.body.as_ref().is_some_and(|body| body.contains(marker)));
    Ok(own.next().map(|comment| comment.id))
}

/// A text with its marker, which nobody sees.
pub(super) fn marked(text: &str, marker: &str) -> String {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
    format!("{}\n\n{marker}", &text[..end])
}
