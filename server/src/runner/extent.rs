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
/// thousand files.
pub(super) async fn too_much(
    mirror: &Path,
    commit: &str,
    most_bytes: u64,
) -> Result<Option<TooMuch>, GitError> {
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
    if let Some(much) = counted.map_err(io::Error::other).flatten().map_err(GitError::Missing)? {
        // Git ends when it is dropped.
        return Ok(Some(much));
    }
    if child.wait().await.map_err(GitError::Missing)?.success() {
        Ok(None)
    } else {
        Err(GitError::Failed("git could not list its files".to_owned()))
    }
}

fn count(listing: impl Read, most: &Most) -> io::Result<Option<TooMuch>> {
    let mut listing = BufReader::new(listing);
    let (mut entries, mut listed, mut bytes) = (0_u64, 0_u64, 0_u64);
    let mut entry = Vec::new();
    while listing.by_ref().take(LONGEST_ENTRY).read_until(0, &mut entry)? > 0 {
        entries += 1;
        listed += entry.len() as u64;
        bytes = bytes.saturating_add(size(&entry).unwrap_or(0));
        if entries > most.entries || listed > most.listed {
            return Ok(Some(TooMuch::Entries));
        }
        if bytes > most.bytes {
            return Ok(Some(TooMuch::Bytes));
        }
        entry.clear();
    }
    Ok(None)
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
            (most(4, all, 1010), None),
            (most(4, all, 1009), Some(TooMuch::Bytes)),
            (most(3, all, 1010), Some(TooMuch::Entries)),
            (most(4, all - 1, 1010), Some(TooMuch::Entries)),
        ] {
            assert_eq!(count(LISTING, &most).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_without_an_end_is_too_much() {
        let most = Most { entries: 4, listed: u64::MAX, bytes: 0 };
        assert_eq!(count(io::repeat(b'x'), &most).unwrap(), Some(TooMuch::Entries));
    }
}
