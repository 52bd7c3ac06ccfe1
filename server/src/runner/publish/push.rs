//! Puts a branch where people find it.

use super::Work;
use crate::{
    config::is_local,
    runner::git::{self, GitError},
};

/// How many names are tried for a branch.
const NAMES: u32 = 9;
/// Runs on the other side of a push to a directory: its hooks are programs of somebody else's.
const RECEIVE_PACK: &str = "--receive-pack=git -c core.hooksPath=/dev/null -c receive.autogc=false -c core.fsmonitor=false receive-pack";
/// What git says when the branch is not where it was expected: before it asks, and when somebody was faster.
const MOVED: [&str; 3] = ["(stale info)", "but expected", "reference already exists"];

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Another runner has the job now: what this one made must not be seen.
    #[error("The attempt is no longer this runner's.")]
    Lost,
    #[error("The branch {branch} could not be pushed: {source}.")]
    Push { branch: String, source: GitError },
    #[error("There are {NAMES} branches named like {0} already. Delete those that nobody needs.")]
    NoName(String),
}

/// Where to push.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// A directory, or any address that git can push to.
    pub repository: &'a str,
    pub branch: &'a str,
    /// The commit that Millrace has put on this branch before; `None` for a branch that is not there yet.
    pub before: Option<&'a str>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub branch: String,
    /// What people should know: why the branch has another name.
    pub note: Option<String>,
}

/// Pushes the head of `work`. Commits of somebody else's are never lost: where the branch is not as Millrace has left it, the
/// work gets a new one. `is_held` is asked right before each push whether the attempt is still this runner's.
pub async fn push<Held: Future<Output = bool> + Send>(
    work: &Work,
    to: Destination<'_>,
    is_held: impl Fn() -> Held + Sync,
) -> Result<Published, PublishError> {
    if try_push(work, to, &is_held).await? {
        return Ok(Published { branch: to.branch.to_owned(), note: None });
    }
    for number in 2..=NAMES {
        let branch = format!("{}-{number}", to.branch);
        if try_push(work, Destination { branch: &branch, before: None, ..to }, &is_held).await? {
            let note =
                format!("The branch {} has other commits by now, so this work is on {branch}.", to.branch);
            return Ok(Published { branch, note: Some(note) });
        }
    }
    Err(PublishError::NoName(to.branch.to_owned()))
}

/// Whether the branch was as expected, and is now at the head of `work`.
async fn try_push<Held: Future<Output = bool> + Send>(
    work: &Work,
    to: Destination<'_>,
    is_held: &(impl Fn() -> Held + Sync),
) -> Result<bool, PublishError> {
    let name = format!("refs/heads/{}", to.branch);
    let lease = format!("--force-with-lease={name}:{}", to.before.unwrap_or_default());
    let refs = format!("{}:{name}", work.head());
    let mut push = git::command(work.repository(), &[]);
    push.args(["push", "--quiet", "--no-verify", "--no-follow-tags", &lease]);
    if is_local(to.repository) {
        push.arg(RECEIVE_PACK);
    }
    push.args(["--end-of-options", to.repository, &refs]);
    if !is_held().await {
        return Err(PublishError::Lost);
    }
    match git::answer(&mut push).await {
        Ok(_) => Ok(true),
        Err(GitError::Failed(message)) if MOVED.iter().any(|said| message.contains(said)) => Ok(false),
        Err(source) => Err(PublishError::Push { branch: to.branch.to_owned(), source }),
    }
}
