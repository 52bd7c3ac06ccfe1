//! Who may ask for jobs: whoever may push to the repository, by GitHub's own word, which is kept for a moment.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::github::{Client, GitHubError, RepositoryName};

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

impl Permissions {
    /// An error permits nothing.
    pub async fn may_write(
        &self,
        client: &Client,
        repository: &RepositoryName,
        login: &str,
    ) -> Result<bool, GitHubError> {
        let key = (repository.clone(), login.to_ascii_lowercase());
        if let Some(answer) = self.kept(&key) {
            return Ok(answer.may_write);
        }
        let at = Instant::now();
        let may_write = client.may_write(repository, login).await?;
        self.keep(key, Answer { may_write, at });
        Ok(may_write)
    }

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
