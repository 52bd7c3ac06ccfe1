//! Pull requests: how they are opened, what a push does to them, reviews.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Event, IssueChange, Outcome, Progress, Reaction, State};
use crate::{
    git::{self, Change},
    refusal::Refusal,
};

/// What makes a thread a pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The full name of the repository that has the branch: another one where it comes from a fork.
    pub head_repository: String,
    pub head_branch: String,
    pub head_sha: String,
    pub base: String,
    pub base_sha: String,
    pub draft: bool,
    /// Who may push to the base may push to the branch, although it is a fork's.
    pub maintainer_can_modify: bool,
    pub merged_at: Option<DateTime<Utc>>,
    pub merge_sha: Option<String>,
    pub reviews: Vec<Review>,
    pub review_comments: Vec<ReviewComment>,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub id: u64,
    pub author: String,
    pub body: String,
    /// `approved`, `changes_requested` or `commented`.
    pub state: String,
    pub sha: String,
    pub submitted_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct ReviewComment {
    pub id: u64,
    pub review: u64,
    pub author: String,
    pub body: String,
    pub path: String,
    pub diff_hunk: String,
    pub sha: String,
    pub reactions: Vec<Reaction>,
    pub created_at: DateTime<Utc>,
}

/// What is asked for when a pull request is opened.
pub(crate) struct PullChange<'a> {
    pub author: &'a str,
    pub title: &'a str,
    pub body: &'a str,
    /// Full name of the repository with the branch.
    pub head_repository: &'a str,
    pub head: &'a str,
    pub base: &'a str,
    pub draft: bool,
}

impl State {
    pub fn open_pull(&mut self, repository: &str, wanted: &PullChange<'_>) -> Outcome<u64> {
        if wanted.title.trim().is_empty() {
            return Err(Refusal::custom("PullRequest", "title can't be blank"));
        }
        let invalid = |field| Refusal::field("PullRequest", field, "invalid");
        let (base_bare, head_bare) = (self.bare(repository), self.bare(wanted.head_repository));
        let base_sha = git::resolve(&base_bare, &format!("refs/heads/{}", wanted.base))
            .ok_or_else(|| invalid("base"))?;
        let head_sha = git::resolve(&head_bare, &format!("refs/heads/{}", wanted.head))
            .ok_or_else(|| invalid("head"))?;
        let head_repository = self.repository(wanted.head_repository)?;
        let (head_name, head_owner) = (head_repository.full_name(), head_repository.owner.clone());
        let found = self.repository(repository)?;
        let label = if head_name == found.full_name() {
            wanted.head.to_owned()
        } else {
            format!("{head_owner}:{}", wanted.head)
        };
        let exists = found
            .threads
            .values()
            .filter(|thread| thread.open)
            .filter_map(|thread| thread.pull.as_ref())
            .any(|pull| {
                pull.head_repository == head_name
                    && pull.head_branch == wanted.head
                    && pull.base == wanted.base
            });
        if exists {
            let message = format!("A pull request already exists for {head_owner}:{}.", wanted.head);
            return Err(Refusal::custom("PullRequest", &message));
        }
        let number = found.threads.last_key_value().map_or(1, |(last, _)| last + 1);
        git::keep_pull(&base_bare, &head_bare, wanted.head, number)?;
        if git::count(&base_bare, &format!("{base_sha}..{head_sha}")) == 0 {
            let message = format!("No commits between {} and {label}", wanted.base);
            return Err(Refusal::custom("PullRequest", &message));
        }
        let pull = Pull {
            head_repository: head_name,
            head_branch: wanted.head.to_owned(),
            head_sha,
            base: wanted.base.to_owned(),
            base_sha,
            draft: wanted.draft,
            maintainer_can_modify: false,
            merged_at: None,
            merge_sha: None,
            reviews: Vec::new(),
            review_comments: Vec::new(),
        };
        let number = self.insert_thread(repository, wanted.author, wanted.title, wanted.body, Some(pull))?;
        self.tell_thread(repository, number, "opened", wanted.author, json!({}))?;
        Ok(number)
    }

    /// Makes sure that there is a branch with a commit of its own, for a test that does not care what it changes.
    pub fn ensure_branch(&mut self, repository: &str, branch: &str, base: &str, author: &str) -> Outcome<()> {
        let bare = self.bare(repository);
        if git::resolve(&bare, &format!("refs/heads/{branch}")).is_none() {
            let path = format!("{}.txt", branch.replace('/', "-"));
            let content = format!("What {branch} adds.\n");
            let change = Change {
                branch,
                from: Some(base),
                author,
                message: &format!("Add {path}"),
                files: &[(&path, &content)],
            };
            git::commit(&bare, &change)?;
        }
        Ok(())
    }

    pub fn pull(&self, repository: &str, number: u64) -> Outcome<&Pull> {
        self.thread(repository, number)?.pull.as_ref().ok_or_else(Refusal::not_found)
    }

    pub fn pull_mut(&mut self, repository: &str, number: u64) -> Outcome<&mut Pull> {
        self.thread_mut(repository, number)?.pull.as_mut().ok_or_else(Refusal::not_found)
    }

    pub fn change_pull(
        &mut self,
        repository: &str,
        number: u64,
        base: Option<String>,
        change: IssueChange,
        by: &str,
    ) -> Outcome<()> {
        if let Some(base) = base {
            let sha = git::resolve(&self.bare(repository), &format!("refs/heads/{base}"))
                .ok_or_else(|| Refusal::field("PullRequest", "base", "invalid"))?;
            let pull = self.pull_mut(repository, number)?;
            pull.base = base;
            pull.base_sha = sha;
        }
        self.change_issue(repository, number, change, by)
    }

    /// The branches of a fork that who may push to `base` may push to as well.
    pub fn open_to_maintainers(&self, fork: &str, base: &str) -> Vec<String> {
        let threads = self.repository(base).map(|found| found.threads.values()).into_iter().flatten();
        threads
            .filter(|thread| thread.open)
            .filter_map(|thread| thread.pull.as_ref())
            .filter(|pull| pull.maintainer_can_modify && pull.head_repository.eq_ignore_ascii_case(fork))
            .map(|pull| pull.head_branch.clone())
            .collect()
    }

    /// Tells of a branch that was moved, made or deleted, and moves the pull requests that it is the head of.
    pub fn pushed(
        &mut self,
        repository: &str,
        branch: &str,
        before: &str,
        after: &str,
        by: &str,
    ) -> Outcome<()> {
        let commits = if before.starts_with("0000") || after.starts_with("0000") {
            Vec::new()
        } else {
            git::commits(&self.bare(repository), &format!("{before}..{after}"))
        };
        let listed: Vec<_> = commits
            .iter()
            .map(|commit| {
                json!({
                    "id": commit.sha, "tree_id": commit.tree, "message": commit.message, "timestamp": commit.date,
                    "author": { "name": commit.name, "email": commit.email },
                })
            })
            .collect();
        let payload = json!({
            "ref": format!("refs/heads/{branch}"), "before": before, "after": after,
            "created": before.starts_with("0000"), "deleted": after.starts_with("0000"), "forced": false,
            "commits": listed, "head_commit": listed.last(),
            "pusher": { "name": by, "email": format!("{by}@users.noreply.localhost") },
        });
        self.fire(Event { name: "push", action: None, repository: Some(repository), sender: by, payload });
        if after.starts_with("0000") {
            return Ok(());
        }
        let head_name = self.repository(repository)?.full_name();
        let moved: Vec<(String, u64)> = self
            .repositories
            .values()
            .flat_map(|base| {
                base.threads
                    .values()
                    .filter(|thread| {
                        thread.open
                            && thread.pull.as_ref().is_some_and(|pull| {
                                pull.head_repository == head_name && pull.head_branch == branch
                            })
                    })
                    .map(|thread| (base.full_name(), thread.number))
            })
            .collect();
        for (base, number) in moved {
            git::keep_pull(&self.bare(&base), &self.bare(repository), branch, number)?;
            self.pull_mut(&base, number)?.head_sha = after.to_owned();
            self.thread_mut(&base, number)?.updated_at = Utc::now();
            self.tell_thread(&base, number, "synchronize", by, json!({ "before": before, "after": after }))?;
        }
        Ok(())
    }

    pub fn merge_pull(&mut self, repository: &str, number: u64, by: &str) -> Outcome<String> {
        let refused =
            || Refusal::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "Pull Request is not mergeable");
        let thread = self.thread(repository, number)?;
        let pull = thread.pull.as_ref().filter(|_| thread.open).ok_or_else(refused)?;
        let message = format!("Merge pull request #{number} from {}\n\n{}", pull.head_branch, thread.title);
        let (base, before) = (pull.base.clone(), git::resolve(&self.bare(repository), &pull.base));
        let sha = git::merge(&self.bare(repository), &base, &pull.head_sha, &message).ok_or_else(refused)?;
        let pull = self.pull_mut(repository, number)?;
        pull.merged_at = Some(Utc::now());
        pull.merge_sha = Some(sha.clone());
        self.set_progress(repository, number, Progress::Closed, by)?;
        self.pushed(repository, &base, &before.unwrap_or_default(), &sha, by)?;
        Ok(sha)
    }

    pub fn review(
        &mut self,
        repository: &str,
        number: u64,
        author: &str,
        body: &str,
        state: &str,
    ) -> Outcome<u64> {
        let state = match state.to_lowercase().as_str() {
            "approve" | "approved" => "approved",
            "request_changes" | "changes_requested" => "changes_requested",
            "comment" | "commented" => "commented",
            _ => return Err(Refusal::field("PullRequestReview", "event", "invalid")),
        };
        let id = self.next_id();
        let pull = self.pull_mut(repository, number)?;
        let review = Review {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
            state: state.to_owned(),
            sha: pull.head_sha.clone(),
            submitted_at: Utc::now(),
        };
        pull.reviews.push(review.clone());
        let payload = json!({
            "pull_request": self.render_pull(repository, number)?,
            "review": self.render_review(repository, number, &review),
        });
        self.fire(Event {
            name: "pull_request_review",
            action: Some("submitted"),
            repository: Some(repository),
            sender: author,
            payload,
        });
        Ok(id)
    }

    /// On GitHub each belongs to a review; one that is written alone makes an empty one.
    pub fn review_comment(
        &mut self,
        repository: &str,
        number: u64,
        author: &str,
        body: &str,
        path: &str,
        diff_hunk: &str,
    ) -> Outcome<u64> {
        let (id, review) = (self.next_id(), self.next_id());
        let pull = self.pull_mut(repository, number)?;
        let comment = ReviewComment {
            id,
            review,
            author: author.to_owned(),
            body: body.to_owned(),
            path: path.to_owned(),
            diff_hunk: diff_hunk.to_owned(),
            sha: pull.head_sha.clone(),
            reactions: Vec::new(),
            created_at: Utc::now(),
        };
        pull.review_comments.push(comment.clone());
        let payload = json!({
            "pull_request": self.render_pull(repository, number)?,
            "comment": self.render_review_comment(repository, number, &comment),
        });
        self.fire(Event {
            name: "pull_request_review_comment",
            action: Some("created"),
            repository: Some(repository),
            sender: author,
            payload,
        });
        Ok(id)
    }
}
