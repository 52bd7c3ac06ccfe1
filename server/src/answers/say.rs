//! A comment that is posted once, whatever happens on the way.

use chrono::{DateTime, Utc};

use crate::github::{Client, Comment, GitHubError, RepositoryName};

/// The longest comment that GitHub takes, in characters, with some room.
const MOST: usize = 65_000;

/// Says `text` in an issue or pull request, unless `own` account has written a comment with this marker there:
/// `<!-- millrace:… -->`.
pub async fn say(
    client: &Client,
    repository: &RepositoryName,
    number: i64,
    own: &str,
    marker: &str,
    text: &str,
) -> Result<(), GitHubError> {
    match find(client, repository, number, own, marker, None).await? {
        Some(_) => Ok(()),
        None => client.comment(repository, number, &marked(text, marker)).await.map(drop),
    }
}

/// The oldest comment of `own` account with this marker. Others may write the marker too, and their comments say nothing.
pub(super) async fn find(
    client: &Client,
    repository: &RepositoryName,
    number: i64,
    own: &str,
    marker: &str,
    since: Option<DateTime<Utc>>,
) -> Result<Option<i64>, GitHubError> {
    let comments = client.comments(repository, number, since).await?;
    let is_ours = |comment: &&Comment| {
        comment.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(own))
            && comment.body.as_ref().is_some_and(|body| body.contains(marker))
    };
    Ok(comments.iter().find(is_ours).map(|comment| comment.id))
}

/// A text with its marker, which nobody sees.
pub(super) fn marked(text: &str, marker: &str) -> String {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
    format!("{}\n\n{marker}", &text[..end])
}
