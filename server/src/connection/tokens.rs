//! Tokens of installations: one for each repository and purpose, which may do that and nothing more, in memory alone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{TimeDelta, Utc};
use tokio::sync::OnceCell;

use super::{App, Connection, ConnectionError, Granted, Purpose};
use crate::{
    db::installations::{self, InstalledIn},
    github::{GitHubError, InstallationToken, Permissions, Refused, RepositoryName},
};

/// Whoever gets a token can work with it for as long.
const LEFT: TimeDelta = TimeDelta::minutes(5);
/// Tokens that are over are forgotten when there are this many.
const MANY: usize = 1024;

/// Names of repositories in small letters, as GitHub compares them.
type Key = (String, Purpose);
type Asked = Arc<Slot>;

#[derive(Default)]
struct Slot {
    /// Empty while somebody asks for it.
    answer: OnceCell<Result<Issued, ConnectionError>>,
    refused: Refused,
}

/// A token of an installation.
#[derive(Clone, Debug)]
struct Issued {
    token: InstallationToken,
    installation: i64,
}

/// Whose rate limit the tokens of an installation have.
pub(super) fn of_installation(id: i64) -> String {
    format!("installation {id}")
}

#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Key, Asked>>);

impl Tokens {
    fn find(&self, key: Key) -> Asked {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MANY {
            tokens.retain(|_, asked| !is_over(asked));
        }
        let asked = tokens.entry(key).or_default();
        if is_over(asked) {
            *asked = Asked::default();
        }
        Arc::clone(asked)
    }

    /// What an installation may do has changed, or is to be asked for anew.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Not given, taken back, or near its end. One that is being asked for is none of that.
fn is_over(asked: &Asked) -> bool {
    match asked.answer.get() {
        Some(Ok(Issued { token, .. })) => asked.refused.is_noted() || token.expires_at - Utc::now() < LEFT,
        Some(Err(_)) => true,
        None => false,
    }
}

impl Connection {
    /// Of many that want the same, one asks, and all have its answer.
    pub(super) async fn installation_token(
        &self,
        app: &App,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<Granted, ConnectionError> {
        let asked = app.tokens.find((repository.as_str().to_lowercase(), purpose));
        let answer = asked.answer.get_or_init(|| self.ask_token(app, repository, purpose)).await;
        match answer {
            Ok(Issued { token, installation }) => {
                let (token, to) = (token.token.clone(), of_installation(*installation));
                Ok(Granted { token, to, refused: asked.refused.clone() })
            }
            Err(error) => Err(error.clone()),
        }
    }

    /// What is known of the installations may be old: then GitHub says which one it is.
    async fn ask_token(
        &self,
        app: &App,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<Issued, ConnectionError> {
        let client = self.client_of(app)?;
        let ask = async |installed: InstalledIn| {
            let permissions = permissions(purpose, installed.writes_workflows);
            let token = client.installation_token(installed.id, Some(repository), &permissions).await?;
            Ok::<_, GitHubError>(Issued { token, installation: installed.id })
        };
        if let Some(known) = installations::of_repository(&self.0.db, repository).await? {
            match ask(known).await {
                Err(GitHubError::NotFound | GitHubError::Invalid(_) | GitHubError::Forbidden(_)) => {}
                answer => return Ok(answer?),
            }
        }
        let installation = match client.installation_of(repository).await {
            Ok(installation) if installation.suspended_at.is_none() => installation,
            Ok(_) | Err(GitHubError::NotFound) => {
                return Err(ConnectionError::NotInstalled(repository.clone()));
            }
            Err(error) => return Err(error.into()),
        };
        let writes_workflows = installation.writes_workflows();
        Ok(ask(InstalledIn { id: installation.id, writes_workflows }).await?)
    }
}

fn permissions(purpose: Purpose, writes_workflows: bool) -> Permissions {
    let (level, names): (_, &[_]) = match purpose {
        Purpose::Read => ("read", &["contents", "issues", "pull_requests", "checks"]),
        Purpose::Answer => ("write", &["issues", "pull_requests", "checks"]),
        Purpose::Fetch => ("read", &["contents"]),
        // A branch that changes what GitHub runs is refused without the second one.
        Purpose::Push if writes_workflows => ("write", &["contents", "workflows"]),
        Purpose::Push => ("write", &["contents"]),
    };
    let metadata = [("metadata", "read")];
    names.iter().map(|name| (*name, level)).chain(metadata).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("ada/orchard".to_owned(), Purpose::Read)
    }

    fn token(left: TimeDelta) -> Issued {
        let token = InstallationToken { token: "ghs_x".into(), expires_at: Utc::now() + left };
        Issued { token, installation: 1 }
    }

    #[test]
    fn a_token_is_asked_for_again_before_it_ends_and_after_an_error() {
        let tokens = Tokens::default();
        let first = tokens.find(key());
        assert!(Arc::ptr_eq(&first, &tokens.find(key())), "whoever comes while it is asked for waits for it");
        assert!(first.answer.set(Ok(token(TimeDelta::minutes(60)))).is_ok());
        assert!(Arc::ptr_eq(&first, &tokens.find(key())));
        first.refused.note();
        assert!(!Arc::ptr_eq(&first, &tokens.find(key())), "it was taken back");

        for over in [Ok(token(TimeDelta::minutes(4))), Err(ConnectionError::NotConnected)] {
            let tokens = Tokens::default();
            let first = tokens.find(key());
            assert!(first.answer.set(over).is_ok());
            assert!(!Arc::ptr_eq(&first, &tokens.find(key())));
        }
    }

    #[test]
    fn a_purpose_asks_for_the_least() {
        let asked = |purpose, workflows| permissions(purpose, workflows).into_iter().collect::<Vec<_>>();
        assert_eq!(asked(Purpose::Fetch, true), [("contents", "read"), ("metadata", "read")]);
        assert_eq!(asked(Purpose::Push, false), [("contents", "write"), ("metadata", "read")]);
        assert!(asked(Purpose::Push, true).contains(&("workflows", "write")));
        assert!(asked(Purpose::Read, true).iter().all(|(_, level)| *level == "read"));
        assert!(!asked(Purpose::Answer, true).iter().any(|(name, _)| *name == "contents"));
    }
}
