//! Puts a branch where people find it.

use std::time::Duration;

use super::Work;
use crate::{
    config::is_local,
    runner::{
        Access,
        git::{self, GitError, Reach},
    },
};

/// How many names are tried for a branch.
const NAMES: u32 = 9;
/// Runs on the other side of a push to a directory: its hooks are programs of somebody else's.
const RECEIVE_PACK: &str = "--receive-pack=git -c core.hooksPath=/dev/null -c receive.autogc=false -c core.fsmonitor=false receive-pack";
/// What git says when the branch is not where it was expected: before it asks, and when somebody was faster.
const MOVED: [&str; 3] = ["(stale info)", "but expected", "reference already exists"];

/// What git says where a push is not allowed: GitHub's status, or its words about the one branch.
const REFUSED: [&str; 3] = ["error: 403", "not found", "remote rejected"];

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Another runner has the job now: what this one made must not be seen.
    #[error("The attempt is no longer this runner's.")]
    Lost,
    #[error("The attempt was stopped before its work was published.")]
    Stopped,
    #[error("The branch {branch} could not be pushed: {source}.")]
    Push { branch: String, source: GitError },
    #[error("The branch {0} has other commits by now.")]
    Moved(String),
    #[error("There are {NAMES} branches named like {0} already. Delete those that nobody needs.")]
    NoName(String),
}

impl PublishError {
    /// Whether it would be the same again: the branch has moved, or whoever has it does not let Millrace push.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Moved(_) => true,
            Self::Push { source: GitError::Failed(message), .. } => {
                REFUSED.iter().any(|said| message.contains(said))
            }
            _ => false,
        }
    }
}

/// Where to push.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// A directory, or any address that git can push to.
    pub repository: &'a str,
    pub branch: &'a str,
    /// The commit that Millrace has put on this branch before; `None` for a branch that is not there yet.
    pub before: Option<&'a str>,
    /// The name to fall back on where the branch has other commits by now, if there may be another one; a number is added
    /// where need be.
    pub otherwise: Option<&'a str>,
    /// Commits that earlier attempts of the job may have put on a branch: they give way.
    pub own: &'a [String],
    /// What lets git in, unless it knows by itself.
    pub access: Option<&'a Access>,
    /// How long git may take.
    pub limit: Duration,
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
    if push_or_take_over(work, to, &is_held).await? {
        return Ok(Published { branch: to.branch.to_owned(), note: None });
    }
    let Some(otherwise) = to.otherwise else { return Err(PublishError::Moved(to.branch.to_owned())) };
    let plain = (otherwise != to.branch).then(|| otherwise.to_owned());
    let numbered = (2..=NAMES).map(|number| format!("{otherwise}-{number}"));
    for branch in plain.into_iter().chain(numbered) {
        let next = Destination { branch: &branch, before: None, ..to };
        if push_or_take_over(work, next, &is_held).await? {
            let note =
                format!("The branch {} has other commits by now, so this work is on {branch}.", to.branch);
            return Ok(Published { branch, note: Some(note) });
        }
    }
    Err(PublishError::NoName(otherwise.to_owned()))
}

/// Whether the branch was as expected, or as an earlier attempt has left it, and is now at the head of `work`.
async fn push_or_take_over<Held: Future<Output = bool> + Send>(
    work: &Work,
    to: Destination<'_>,
    is_held: &(impl Fn() -> Held + Sync),
) -> Result<bool, PublishError> {
    if try_push(work, to, is_held).await? {
        return Ok(true);
    }
    if to.own.is_empty() {
        return Ok(false);
    }
    match head(work, to).await?.filter(|head| to.own.contains(head)) {
        Some(own) => try_push(work, Destination { before: Some(&own), ..to }, is_held).await,
        None => Ok(false),
    }
}

/// The commit that the branch is at.
async fn head(work: &Work, to: Destination<'_>) -> Result<Option<String>, PublishError> {
    let mut ask = git::remote_command(work.repository(), to.reach(), &[]);
    let name = format!("refs/heads/{}", to.branch);
    ask.args(["ls-remote", "--quiet", "--end-of-options", to.address(), &name]);
    let said = git::answer_remote(to.reach(), &mut ask)
        .await
        .map_err(|source| PublishError::Push { branch: to.branch.to_owned(), source })?;
    Ok(said.split_whitespace().next().map(str::to_owned))
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
    let mut push = git::remote_command(work.repository(), to.reach(), &[]);
    push.args(["push", "--quiet", "--no-verify", "--no-follow-tags", &lease]);
    if is_local(to.repository) {
        push.arg(RECEIVE_PACK);
    }
    push.args(["--end-of-options", to.address(), &refs]);
    if !is_held().await {
        return Err(PublishError::Lost);
    }
    match git::answer_remote(to.reach(), &mut push).await {
        Ok(_) => Ok(true),
        Err(GitError::Failed(message)) if MOVED.iter().any(|said| message.contains(said)) => Ok(false),
        Err(source) => Err(PublishError::Push { branch: to.branch.to_owned(), source }),
    }
}

impl<'a> Destination<'a> {
    fn reach(&self) -> Reach<'a> {
        Reach { access: self.access, limit: self.limit }
    }

    fn address(&self) -> &'a str {
        self.access.map_or(self.repository, |access| &access.address)
    }
}
