//! What a test sees of the world.

use std::path::PathBuf;

use super::{App, CheckRun, Comment, Pull, Reaction, Thread, World, threads::Target, verbs::arranged};
use crate::{git, webhooks::Delivery};

/// A pull request at a glance; `pull` has the branches and what was reviewed.
#[derive(Clone, Debug)]
pub struct PullSummary {
    pub number: u64,
    pub author: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub labels: Vec<String>,
    pub pull: Pull,
}

impl World {
    #[track_caller]
    pub fn pulls(&self, repository: &str) -> Vec<PullSummary> {
        let state = self.lock();
        arranged(state.repository(repository))
            .threads
            .values()
            .filter_map(|thread| {
                Some(PullSummary {
                    number: thread.number,
                    author: thread.author.clone(),
                    title: thread.title.clone(),
                    body: thread.body.clone(),
                    open: thread.open,
                    labels: thread.labels.clone(),
                    pull: thread.pull.clone()?,
                })
            })
            .collect()
    }

    /// An issue or a pull request with all that is under it.
    #[track_caller]
    pub fn thread(&self, repository: &str, number: u64) -> Thread {
        arranged(self.lock().thread(repository, number).cloned())
    }

    /// Oldest first, each with how often it was edited.
    #[track_caller]
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        self.thread(repository, number).comments
    }

    /// Of a comment under an issue or a pull request, or at a line of a pull request.
    #[track_caller]
    pub fn reactions(&self, repository: &str, comment: u64) -> Vec<Reaction> {
        let mut state = self.lock();
        if let Ok(reactions) = state.reactions_mut(repository, Target::Comment(comment)) {
            return reactions.clone();
        }
        arranged(state.reactions_mut(repository, Target::ReviewComment(comment))).clone()
    }

    #[track_caller]
    pub fn checks(&self, repository: &str, head_sha: &str) -> Vec<CheckRun> {
        let state = self.lock();
        let checks = &arranged(state.repository(repository)).checks;
        checks.iter().filter(|check| check.head_sha == head_sha).cloned().collect()
    }

    /// The folder of the real git repository.
    pub fn bare(&self, repository: &str) -> PathBuf {
        self.lock().bare(repository)
    }

    /// What a branch points to.
    pub fn branch(&self, repository: &str, branch: &str) -> Option<String> {
        git::resolve(&self.bare(repository), &format!("refs/heads/{branch}"))
    }

    /// A file's text at a branch or commit.
    pub fn file(&self, repository: &str, reference: &str, path: &str) -> Option<String> {
        let bare = self.bare(repository);
        let commit = git::resolve(&bare, reference)?;
        let (_, object, ..) =
            git::entries(&bare, &commit, path).into_iter().find(|(kind, ..)| kind == "blob")?;
        git::blob(&bare, &object).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Each app, also one that was made by a manifest.
    pub fn apps(&self) -> Vec<App> {
        self.lock().apps.clone()
    }

    /// The webhooks that were sent or failed, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.lock().deliveries.clone()
    }

    /// Waits until no webhook is waiting or under way.
    pub async fn settled(&self) {
        let mut unsent = self.unsent.subscribe();
        // The sender lives as long as the world.
        let _ = unsent.wait_for(|count| *count == 0).await;
    }
}
