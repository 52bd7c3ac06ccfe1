//! From a repository's address to a fresh working tree at one commit.
//!
//! A bare mirror of each repository is kept and fetched, so that only what is new is transferred. Each attempt gets a
//! repository of its own that borrows the mirror's objects: a working tree of the mirror itself would let an attempt change
//! the mirror's settings, and with them what other attempts run.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    extent::{MOST_ENTRIES, TooMuch, too_much},
    git::{GitError, Reach, git, git_remote, git_within},
    repository::lay_out,
    sandbox::Bytes,
};

#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    #[error("The repository {repository} could not be fetched: {source}.")]
    Fetch { repository: String, source: GitError },
    #[error("The repository {0} has no commits yet.")]
    Empty(String),
    #[error("There is no branch, tag or commit `{git_ref}` in {repository}.")]
    UnknownRef { git_ref: String, repository: String },
    #[error(
        "`{git_ref}` is on no branch and under no tag of {repository}, so it may be anybody's. Push it to a branch first, or \
         name the pull request as `refs/pull/NUMBER/head`, whose work is not pushed."
    )]
    Stray { git_ref: String, repository: String },
    #[error(
        "The commit is not checked out: it has more than {} million files and directories, or very long names for them.",
        MOST_ENTRIES / 1_000_000
    )]
    TooMany,
    #[error(
        "The commit is not checked out: its files are larger than {} together, and no attempt may have more on the disk \
         (`disk_bytes` in [sandbox]).",
        Bytes(*.0)
    )]
    TooLarge(u64),
    #[error("The commit could not be checked out: {0}.")]
    Checkout(#[source] GitError),
    #[error("The runner's disk: {0}.")]
    Disk(#[from] io::Error),
}

impl CheckoutError {
    /// Trying again would find the same.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Empty(_) | Self::UnknownRef { .. } | Self::Stray { .. } | Self::TooMany | Self::TooLarge(_)
        )
    }
}

/// Where the remote's own HEAD is kept in a mirror.
const REMOTE_HEAD: &str = "refs/millrace/head";

/// More packs than these in a mirror are joined.
const MOST_PACKS: usize = 32;

/// What was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// In full.
    pub commit: String,
    /// The name by which it was found; none for the default branch.
    pub git_ref: Option<String>,
    /// The mirror whose objects the working tree borrows.
    pub mirror: PathBuf,
}

/// Makes a working tree in `target` of the first of `refs` that there is, the default branch where it is `None`. It has no more
/// bytes than `most_bytes`.
pub(super) async fn checkout(
    mirrors: &Path,
    repository: &str,
    reach: Reach<'_>,
    refs: &[Option<&str>],
    target: &Path,
    most_bytes: u64,
) -> Result<Source, CheckoutError> {
    let mirror = mirrors.join(mirror_name(repository));
    // Held until the working tree is there: a fetch may not prune what is being checked out.
    let _lock = lock(mirror.with_extension("lock")).await?;
    let remote = Remote { repository, reach };
    fetch(&mirror, remote).await?;
    let (commit, git_ref) = resolve_first(&mirror, remote, refs).await?;
    let limit = reach.limit;
    let counted = timeout(limit, too_much(&mirror, &commit, most_bytes)).await;
    match counted.unwrap_or(Err(GitError::TooSlow(limit))).map_err(CheckoutError::Checkout)? {
        Some(TooMuch::Entries) => return Err(CheckoutError::TooMany),
        Some(TooMuch::Bytes) => return Err(CheckoutError::TooLarge(most_bytes)),
        None => {}
    }
    working_tree(&mirror, repository, &commit, target, limit).await.map_err(CheckoutError::Checkout)?;
    Ok(Source { commit, git_ref: git_ref.map(str::to_owned), mirror })
}

/// Where to fetch from.
#[derive(Clone, Copy)]
struct Remote<'a> {
    /// As the job names it.
    repository: &'a str,
    reach: Reach<'a>,
}

impl Remote<'_> {
    fn address(&self) -> &str {
        self.reach.access.map_or(self.repository, |access| &access.address)
    }
}

/// Whether a branch of this name was there at the last fetch.
pub(super) async fn has_branch(mirror: &Path, name: &str) -> bool {
    commit(mirror, &format!("refs/heads/{name}")).await.is_some()
}

/// A directory name that tells people which repository it is, and that no address can lead astray.
fn mirror_name(repository: &str) -> String {
    let hash = Sha256::digest(repository.as_bytes());
    let name: String = repository
        .trim_end_matches('/')
        .trim_end_matches(".git")
        .rsplit(['/', ':'])
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || *char == '-')
        .take(40)
        .collect();
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{hash}.git")
}

/// Waits for the other attempts, of this and other runners on this disk, that use the same mirror.
async fn lock(path: PathBuf) -> io::Result<File> {
    tokio::task::spawn_blocking(move || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    })
    .await
    .map_err(io::Error::other)?
}

async fn fetch(mirror: &Path, remote: Remote<'_>) -> Result<(), CheckoutError> {
    let repository = remote.repository;
    let failed = |source| CheckoutError::Fetch { repository: repository.to_owned(), source };
    if !mirror.join("HEAD").exists() {
        tokio::fs::create_dir_all(mirror).await?;
        git(mirror, &["init", "--quiet", "--bare", "--template=", "."]).await.map_err(failed)?;
    }
    let head = format!("+HEAD:{REMOTE_HEAD}");
    let fetched = git_remote(
        mirror,
        remote.reach,
        &[
            "fetch",
            "--quiet",
            "--prune",
            "--no-write-fetch-head",
            "--end-of-options",
            remote.address(),
            &head,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        ],
    )
    .await;
    match fetched {
        Ok(_) => {
            join_packs(mirror, remote.reach.limit).await;
            Ok(())
        }
        Err(GitError::Failed(message)) if message.contains("couldn't find remote ref HEAD") => {
            Err(CheckoutError::Empty(repository.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Each fetch that brings something leaves a pack, and git looks for an object in one after the other. They are joined so that
/// each is twice as large as all smaller ones, which costs little for each fetch. Objects to which nothing leads any more stay:
/// attempts borrow them.
async fn join_packs(mirror: &Path, limit: Duration) {
    if packs(mirror).unwrap_or(0) <= MOST_PACKS {
        return;
    }
    let joined = git_within(limit, mirror, &["repack", "--quiet", "-d", "--geometric=2"]).await;
    if let Err(error) = joined {
        // It would only have been quicker.
        tracing::warn!(%error, mirror = %mirror.display(), "The packs of a mirror could not be joined.");
    }
}

fn packs(mirror: &Path) -> io::Result<usize> {
    let files = std::fs::read_dir(mirror.join("objects/pack"))?;
    Ok(files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "pack")).count())
}

async fn resolve_first<'a>(
    mirror: &Path,
    remote: Remote<'_>,
    refs: &[Option<&'a str>],
) -> Result<(String, Option<&'a str>), CheckoutError> {
    let mut last = CheckoutError::Empty(remote.repository.to_owned());
    for git_ref in refs {
        match resolve(mirror, remote, *git_ref).await {
            Ok(commit) => return Ok((commit, *git_ref)),
            Err(error @ (CheckoutError::UnknownRef { .. } | CheckoutError::Stray { .. })) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// The commit that a name means. A branch goes before a tag of the same name, as with `git fetch`.
async fn resolve(mirror: &Path, remote: Remote<'_>, git_ref: Option<&str>) -> Result<String, CheckoutError> {
    let repository = remote.repository;
    // `HEAD` is the remote's; the mirror's own is whatever git calls a first branch.
    let Some(git_ref) = git_ref.filter(|name| *name != "HEAD") else {
        return commit(mirror, REMOTE_HEAD).await.ok_or_else(|| CheckoutError::Empty(repository.to_owned()));
    };
    for name in [format!("refs/heads/{git_ref}"), format!("refs/tags/{git_ref}")] {
        if let Some(commit) = commit(mirror, &name).await {
            return Ok(commit);
        }
    }
    let found = commit(mirror, git_ref).await;
    if remote.reach.access.is_some() {
        // GitHub shares the objects of a repository and its forks, so a commit that it has by its id may be a stranger's.
        return match found {
            Some(commit) if is_published(mirror, &commit).await => Ok(commit),
            Some(_) => {
                Err(CheckoutError::Stray { git_ref: git_ref.to_owned(), repository: repository.to_owned() })
            }
            None => Err(CheckoutError::UnknownRef {
                git_ref: git_ref.to_owned(),
                repository: repository.to_owned(),
            }),
        };
    }
    if let Some(commit) = found {
        return Ok(commit);
    }
    // A commit or a ref outside of branches and tags, such as `refs/pull/7/head`, is asked for by its name.
    let wanted = format!("+{git_ref}:refs/millrace/wanted");
    let asked = git_remote(
        mirror,
        remote.reach,
        &["fetch", "--quiet", "--no-write-fetch-head", "--end-of-options", remote.address(), &wanted],
    )
    .await;
    if asked.is_ok()
        && let Some(commit) = commit(mirror, "refs/millrace/wanted").await
    {
        return Ok(commit);
    }
    Err(CheckoutError::UnknownRef { git_ref: git_ref.to_owned(), repository: repository.to_owned() })
}

async fn commit(mirror: &Path, name: &str) -> Option<String> {
    let name = format!("{name}^{{commit}}");
    git(mirror, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name]).await.ok()
}

/// Whether a branch or a tag leads to the commit: only who may write has put it there.
async fn is_published(mirror: &Path, commit: &str) -> bool {
    let contains = format!("--contains={commit}");
    let found = git(mirror, &["for-each-ref", "--count=1", &contains, "refs/heads", "refs/tags"]).await;
    found.is_ok_and(|refs| !refs.is_empty())
}

async fn working_tree(
    mirror: &Path,
    repository: &str,
    commit: &str,
    target: &Path,
    limit: Duration,
) -> Result<(), GitError> {
    lay_out(&target.join(".git"), Some(repository), mirror).await.map_err(GitError::Missing)?;
    // As many at work as there are processors: to make a file costs the disk's time, not git's.
    git_within(limit, target, &["-c", "checkout.workers=0", "checkout", "--quiet", "--detach", commit])
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrors_name_is_readable_and_harmless() {
        assert!(mirror_name("https://github.com/owner/name.git").starts_with("name-"));
        assert!(mirror_name("git@host:na/me").starts_with("me-"));
        assert!(!mirror_name("/../..").contains(".."), "{}", mirror_name("/../.."));
        assert_ne!(mirror_name("https://a/x"), mirror_name("https://b/x"));
    }
}
