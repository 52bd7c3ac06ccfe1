//! Who may use a repository: whoever may push to it, by GitHub's own word, which is kept for a moment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Connection, ConnectionError, Purpose};
use crate::github::RepositoryName;

/// How long an answer holds.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// Old answers are forgotten when there are this many.
const MANY: usize = 4096;

#[derive(Default)]
pub(super) struct Permissions(Mutex<HashMap<(RepositoryName, String), Answer>>);

#[derive(Clone, Copy)]
struct Answer {
    may_write: bool,
    at: Instant,
}

impl Connection {
    /// Whether `login` may push to a connected repository. An error permits nothing.
    pub async fn may_write(&self, repository: &RepositoryName, login: &str) -> Result<bool, ConnectionError> {
        let permissions = &self.0.permissions;
        let key = (repository.clone(), login.to_ascii_lowercase());
        if let Some(answer) = permissions.kept(&key) {
            return Ok(answer.may_write);
        }
        let client = self.client(repository, Purpose::Read).await?;
        let at = Instant::now();
        let may_write = client.may_write(repository, login).await?;
        permissions.keep(key, Answer { may_write, at });
        Ok(may_write)
    }
}

impl Permissions {
    fn kept(&self, key: &(RepositoryName, String)) -> Option<Answer> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).copied().filter(|answer| answer.at.elapsed() < KEPT_FOR)
    }

    fn keep(&self, key: (RepositoryName, String), answer: Answer) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MANY {
            answers.retain(|_, answer| answer.at.elapsed() < KEPT_FOR);
        }
        answers.insert(key, answer);
    }
}
