//! How much a commit would put on the disk, counted before it is checked out: a repository of some kilobytes can hold
//! thousands of millions of files, in trees that hold the same tree again and again.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
    process::Stdio,
};

use tokio::task::spawn_blocking;

use super::git::{self, GitError};

/// Files and directories. Of the repositories that people work in, the largest have some hundred thousand.
pub(super) const MOST_ENTRIES: u64 = 1_000_000;
/// Of the list of them, all of which git has in its memory while it checks out.
const MOST_LISTED: u64 = 512 << 20;
/// Where a mirror keeps what was counted last: many attempts begin with the same commit.
const NOTE: &str = "millrace-extent";
/// A longer entry is counted as several.
const LONGEST_ENTRY: u64 = 1 << 16;

struct Most {
    entries: u64,
    listed: u64,
    bytes: u64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    Entries,
    Bytes,
}

/// Goes through the trees of a commit, and no further than to where there is too much. It takes git some milliseconds for a
/// thousand files. The caller has the mirror for itself.
pub(super) async fn too_much(
    mirror: &Path,
    commit: &str,
    most_bytes: u64,
) -> Result<Option<TooMuch>, GitError> {
    if let Some(bytes) = noted(mirror, commit).await {
        return Ok((bytes > most_bytes).then_some(TooMuch::Bytes));
    }
    let mut command = git::own_command(mirror);
    // Trees too: they may hold nothing but trees, for ever.
    command.args(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(GitError::Missing)?;
    let listing = child.stdout.take().ok_or_else(|| GitError::Missing(io::ErrorKind::BrokenPipe.into()))?;
    let listing = File::from(listing.into_owned_fd().map_err(GitError::Missing)?);
    let most = Most { entries: MOST_ENTRIES, listed: MOST_LISTED, bytes: most_bytes };
    // Git is never late with what a hostile commit has, so it would keep a thread of the runner for itself. Where nobody waits
    // any more, git ends, and with it the listing.
    let counted = spawn_blocking(move || count(listing, &most)).await;
    let bytes = match counted.map_err(io::Error::other).flatten().map_err(GitError::Missing)? {
        Ok(bytes) => bytes,
        // Git ends when it is dropped.
        Err(much) => return Ok(Some(much)),
    };
    if !child.wait().await.map_err(GitError::Missing)?.success() {
        return Err(GitError::Failed("git could not list its files".to_owned()));
    }
    // Without it the next one counts again.
    let _ = tokio::fs::write(mirror.join(NOTE), format!("{commit} {bytes}\n")).await;
    Ok(None)
}

/// How large this commit's files are together, if it was the last to be counted.
async fn noted(mirror: &Path, commit: &str) -> Option<u64> {
    let note = tokio::fs::read_to_string(mirror.join(NOTE)).await.ok()?;
    // The end of the line says that nothing is missing.
    note.strip_suffix('\n')?.strip_prefix(commit)?.strip_prefix(' ')?.parse().ok()
}

/// How large all files are together.
fn count(listing: impl Read, most: &Most) -> io::Result<Result<u64, TooMuch>> {
    let mut listing = BufReader::new(listing);
    let (mut entries, mut listed, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut entry = Vec::new();
    while listing.by_ref().take(LONGEST_ENTRY).read_until(0, &mut entry)? > 0 {
        entries += 1;
        listed += entry.len() as u64;
        bytes = bytes.saturating_add(size(&entry).unwrap_or(0));
        if entries > most.entries || listed > most.listed {
            return Ok(Err(TooMuch::Entries));
        }
        if bytes > most.bytes {
            return Ok(Err(TooMuch::Bytes));
        }
        entry.clear();
    }
    Ok(Ok(bytes))
}

/// Of a file such as `100644 blob 0123abcd     1234` and its path behind a tab; directories and submodules have none.
fn size(entry: &[u8]) -> Option<u64> {
    let facts = entry.split(|byte| *byte == b'\t').next()?;
    str::from_utf8(facts).ok()?.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &[u8] = b"040000 tree aaaa       -\td\x00100644 blob bbbb      10\td/a 99\x00\
                             160000 commit cccc       -\ts\x00100755 blob dddd    1000\tb\x00";

    #[test]
    fn files_are_added_up_and_everything_is_counted() {
        let most = |entries, listed, bytes| Most { entries, listed, bytes };
        let all = LISTING.len() as u64;
        for (most, expected) in [
            (most(4, all, 1010), Ok(1010)),
            (most(4, all, 1009), Err(TooMuch::Bytes)),
            (most(3, all, 1010), Err(TooMuch::Entries)),
            (most(4, all - 1, 1010), Err(TooMuch::Entries)),
        ] {
            assert_eq!(count(LISTING, &most).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_without_an_end_is_too_much() {
        let most = Most { entries: 4, listed: u64::MAX, bytes: 0 };
        assert_eq!(count(io::repeat(b'x'), &most).unwrap(), Err(TooMuch::Entries));
    }
}
