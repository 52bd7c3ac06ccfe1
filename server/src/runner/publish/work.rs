//! The commits of an attempt in a bare repository of Millrace's own.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use app::model::ChangeFigures;
use tokio::{
    io::AsyncReadExt,
    process::{ChildStdout, Command},
};

use super::{
    bundle::Bundle,
    secrets::{Finding, Secrets},
};
use crate::runner::{
    git::{self, GitError},
    repository::lay_out,
};

/// The longest diff that is kept.
const PATCH_BYTES: u64 = 8 << 20;
/// For a result of half a gigabyte on a slow disk.
const PATIENCE: Duration = Duration::from_secs(300);
/// The agent made what git is to unpack here, and a small file can unpack to a very large one: git ends where it would need
/// more than this for one of them. No file that is committed by Millrace comes near.
const MOST_MEMORY: &str = "512m";
/// The repository goes with its attempt, so nothing in it has to outlive the machine.
const SHORT_LIVED: &str = "core.fsync=none";
/// A larger file has no diff.
const BIG_FILE: &str = "core.bigFileThreshold=16m";
/// Diffs as git's own, whoever reads them.
const DIFF: [&str; 8] = [
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
    "--no-relative",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("What the agent committed was refused: {0}.")]
    Refused(#[source] GitError),
    #[error("What the agent committed does not follow the commit that it began with.")]
    Unrelated,
    #[error("The changes could not be read within {} minutes.", PATIENCE.as_secs() / 60)]
    TooSlow,
    #[error("The runner's disk: {0}.")]
    Disk(#[from] io::Error),
}

/// Commits on top of the one that was checked out.
#[derive(Clone, Debug)]
pub struct Work {
    repository: PathBuf,
    base: String,
    head: String,
    figures: ChangeFigures,
}

/// A diff as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub text: Vec<u8>,
    /// There was more; the text ends with a whole file where it holds one.
    pub cut: bool,
}

impl Work {
    /// Unpacks a bundle into a new repository at `repository`, which borrows the objects of `mirror`. `None` when nothing
    /// is different from `base` in the end.
    pub async fn receive(
        repository: &Path,
        mirror: &Path,
        bundle: &Path,
        base: &str,
    ) -> Result<Option<Self>, ReceiveError> {
        lay_out(repository, None, mirror).await?;
        let run = |arguments: &[&str]| {
            let mut command = own(repository);
            command.args(arguments);
            async move { in_time(git::answer(&mut command)).await }
        };
        let Some(Bundle { head, pack }) = Bundle::open(bundle).await? else {
            return Err(ReceiveError::Refused(GitError::Failed("it is no bundle".to_owned())));
        };
        // Not by a fetch: from a bundle that looks at the objects since git 2.46 only. `--strict` also has them lead to nothing
        // that is not there.
        let mut unpack = own(repository);
        in_time(git::answer(unpack.args(["index-pack", "--stdin", "--fix-thin", "--strict"]).stdin(pack)))
            .await?;
        let (tip, both) = (format!("{head}^{{commit}}"), format!("{base}...{head}"));
        let mut numbers = diff(repository);
        let numbers = numbers.args(["--numstat", base, &head]);
        let (head, counts, numbers) = tokio::try_join!(
            run(&["rev-parse", "--verify", &tip]),
            // How many commits only the one side has, and only the other.
            run(&["rev-list", "--left-right", "--count", &both]),
            in_time(git::answer(numbers)),
        )?;
        let Some(("0", commits)) = counts.split_once('\t') else { return Err(ReceiveError::Unrelated) };
        let figures = ChangeFigures { commits: commits.parse().unwrap_or(0), ..figures(&numbers) };
        let (repository, base) = (repository.to_owned(), base.to_owned());
        Ok((figures.files > 0).then_some(Self { repository, base, head, figures }))
    }

    /// The commit at the end, in full.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// How much was changed.
    pub fn figures(&self) -> ChangeFigures {
        self.figures
    }

    pub(super) fn repository(&self) -> &Path {
        &self.repository
    }

    /// The diff from the commit that was checked out, without the secrets in it, if there are any.
    pub async fn patch(&self, secrets: &Secrets) -> Result<Patch, ReceiveError> {
        let mut command = diff(&self.repository);
        command.args([&self.base, &self.head]);
        let mut text = Vec::new();
        let mut cut = false;
        read(&mut command, async |stdout| {
            stdout.take(PATCH_BYTES + 1).read_to_end(&mut text).await?;
            cut = text.len() as u64 > PATCH_BYTES;
            Ok(if cut { Read::Enough } else { Read::All })
        })
        .await?;
        if cut {
            text.truncate(end_of_files(&text));
        }
        Ok(Patch { text: secrets.without(text), cut })
    }

    /// The first secret that a commit adds, or that it shows in the name of a file, in its message or in its author, be it gone
    /// again in the next commit: a branch shows all of them.
    pub async fn secrets(&self, secrets: &Secrets) -> Result<Option<Finding>, ReceiveError> {
        let names = ["--no-renames", "--diff-filter=A", "--name-only", "-z", "--format="];
        let commits = ["--no-patch", "--format=raw"];
        let patches = [&["--patch", "--unified=0", "--text", "--format=commit %H"], &DIFF[..]].concat();
        let (named, said, added) = tokio::try_join!(
            self.search(&names, async |names| secrets.search_names(names).await),
            self.search(&commits, async |log| secrets.search_commits(log, &self.head).await),
            self.search(&patches, async |log| secrets.search_patches(log, &self.head).await),
        )?;
        Ok(named.or(said).or(added))
    }

    /// Has `look` read the log of the new commits, the oldest first.
    async fn search(
        &self,
        options: &[&str],
        look: impl AsyncFnOnce(ChildStdout) -> io::Result<Option<Finding>>,
    ) -> Result<Option<Finding>, ReceiveError> {
        let mut command = own(&self.repository);
        command.args(["log", "--reverse", "--diff-merges=first-parent"]).args(options);
        command.args(["--end-of-options", &self.head, &format!("^{}", self.base)]);
        let mut found = None;
        read(&mut command, async |stdout| {
            found = look(stdout).await?;
            Ok(if found.is_some() { Read::Enough } else { Read::All })
        })
        .await?;
        Ok(found)
    }
}

fn diff(repository: &Path) -> Command {
    let mut command = own(repository);
    command.arg("diff").args(DIFF);
    command
}

/// Git with no settings but Millrace's, and careful with what it reads.
fn own(repository: &Path) -> Command {
    let mut command = git::command(repository, &[]);
    for setting in ["core.quotePath=false", "pack.threads=1", SHORT_LIVED, BIG_FILE] {
        command.args(["-c", setting]);
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_ALLOC_LIMIT", MOST_MEMORY);
    command
}

/// How far a reader read.
enum Read {
    All,
    Enough,
}

/// Has `reader` read what git prints. Git that fails before the end has not printed all of it.
async fn read(
    command: &mut Command,
    reader: impl AsyncFnOnce(ChildStdout) -> io::Result<Read>,
) -> Result<(), ReceiveError> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
    let reading = async {
        // Git that is not wanted any more ends when it is dropped.
        if let Read::Enough = reader(stdout).await? {
            return Ok(());
        }
        if child.wait().await?.success() {
            Ok(())
        } else {
            let why = "git could not read all of it".to_owned();
            Err(ReceiveError::Refused(GitError::Failed(why)))
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.map_err(|_| ReceiveError::TooSlow)?
}

async fn in_time(answer: impl Future<Output = Result<String, GitError>>) -> Result<String, ReceiveError> {
    let answer = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| ReceiveError::TooSlow)?;
    answer.map_err(ReceiveError::Refused)
}

/// Sums up `git diff --numstat`: added lines, deleted lines and a path, or `-` for both of a file that is no text.
fn figures(numbers: &str) -> ChangeFigures {
    let mut figures = ChangeFigures::default();
    for line in numbers.lines() {
        let mut columns = line.split('\t').map(|number| number.parse().unwrap_or(0_u32));
        figures.files += 1;
        figures.additions = figures.additions.saturating_add(columns.next().unwrap_or(0));
        figures.deletions = figures.deletions.saturating_add(columns.next().unwrap_or(0));
    }
    figures
}

/// Where the last file ends that is there as a whole; where the last line does, if it is the only one.
fn end_of_files(text: &[u8]) -> usize {
    let bound = &text[..text.len() - 1];
    let file = memchr::memmem::rfind(bound, b"\ndiff --git ").filter(|end| *end > 0);
    file.or_else(|| memchr::memrchr(b'\n', bound)).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed_up_and_binary_files_counted() {
        let numbers = "3\t1\tsrc/a.rs\n-\t-\tpicture.png\n0\t7\ta => b";
        let figures = figures(numbers);
        assert_eq!((figures.files, figures.additions, figures.deletions), (3, 3, 8));
    }

    #[test]
    fn a_long_diff_ends_with_a_whole_file() {
        let cut = |text: &[u8]| text[..end_of_files(text)].to_vec();
        assert_eq!(cut(b"diff --git a\n+1\ndiff --git b\n+2\n+"), b"diff --git a\n+1\n");
        assert_eq!(cut(b"diff --git a\n+1\n+2"), b"diff --git a\n+1\n");
    }
}
