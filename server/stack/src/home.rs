//! The directory that belongs to one server: who owns it, where it is, who uses it now.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::account::Account;
use crate::error::{At, Error};

/// Where files go when the account that must own them cannot get at the wanted directory.
const ELSEWHERE: &str = "/var/lib/millrace";

/// Where a socket goes when its path would be too long. Not `TMPDIR`: this must be short, and open to
/// the account that Postgres runs as.
const SHORT_DIRECTORY: &str = "/tmp";

/// What fits into `sockaddr_un` on every system (Linux takes four more).
const LONGEST_SOCKET_PATH: usize = 103;

/// How much of a log is shown when a server does not start.
const TAIL_LINES: usize = 15;

/// A server's directory, held by this process alone as long as the value lives.
#[derive(Debug)]
pub(crate) struct Home {
    directory: PathBuf,
    moved: bool,
    account: Account,
    /// A killed process releases its locks too.
    lock: File,
}

impl Home {
    /// Makes the directory if needed, gives it to `account`, and locks it.
    pub(crate) fn open(wanted: &Path, account: Account) -> Result<Self, Error> {
        let wanted = std::path::absolute(wanted).at(wanted)?;
        let (directory, moved) = if account == Account::current() {
            make_private(&wanted)?;
            (wanted, false)
        } else {
            place_for(&wanted, account)?
        };
        let path = directory.join("lock");
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).at(&path)?;
        account.own(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory, moved, account, lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { directory }),
            Err(TryLockError::Error(source)) => Err(Error::Io { path, source }),
        }
    }

    /// The directory that [`Home::open`] uses for `wanted`.
    pub(crate) fn locate(wanted: &Path) -> Result<PathBuf, Error> {
        let wanted = std::path::absolute(wanted).at(wanted)?;
        let elsewhere = elsewhere(&wanted);
        Ok(if elsewhere.exists() { elsewhere } else { wanted })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the files are elsewhere than was asked for.
    pub(crate) fn is_moved(&self) -> bool {
        self.moved
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }

    /// Makes the directory of the server's socket if needed, and gives the socket's path.
    pub(crate) fn prepare_socket(&self, name: &str) -> Result<PathBuf, Error> {
        let socket = socket_in(&self.directory, name);
        let Some(short) = socket.parent().filter(|parent| *parent != self.directory) else {
            return Ok(socket);
        };
        match DirBuilder::new().mode(0o700).create(short) {
            Ok(()) => self.account.own(short)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Anybody can write there, so somebody else may have been first.
                let metadata = fs::symlink_metadata(short).at(short)?;
                let ours = Account::owner_of(short) == Some(self.account);
                if !(ours && metadata.is_dir() && metadata.mode() & 0o077 == 0) {
                    return Err(Error::NotPrivate { directory: short.to_owned() });
                }
            }
            Err(error) => return Err(error).at(short),
        }
        Ok(socket)
    }

    /// Removes what [`Home::prepare_socket`] made.
    pub(crate) fn remove_socket(&self, socket: &Path) {
        let _ = fs::remove_file(socket);
        if let Some(short) = socket.parent().filter(|parent| *parent != self.directory) {
            let _ = fs::remove_dir(short);
        }
    }

    /// A file that only its owner reads, written whole or not at all.
    pub(crate) fn write_private(&self, name: &str, owner: Account, content: &str) -> Result<PathBuf, Error> {
        let path = self.directory.join(name);
        let unfinished = self.directory.join(format!("{name}.new"));
        let _ = fs::remove_file(&unfinished);
        let mut file =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished).at(&unfinished)?;
        file.write_all(content.as_bytes()).at(&unfinished)?;
        file.sync_all().at(&unfinished)?;
        owner.own(&unfinished)?;
        fs::rename(&unfinished, &path).at(&path)?;
        Ok(path)
    }

    /// Begins a new log and keeps the one of the last start, which may tell why it ended.
    pub(crate) fn begin_log(&self) -> Result<File, Error> {
        let path = self.log();
        match fs::rename(&path, self.directory.join("log.previous")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).at(&path),
            _ => {}
        }
        OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path).at(&path)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    pub(crate) fn log_tail(&self) -> String {
        let Ok(bytes) = fs::read(self.log()) else {
            return String::new();
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    pub(crate) fn remove(&self) -> Result<(), Error> {
        fs::remove_dir_all(&self.directory).at(&self.directory)
    }

    /// What a process that was killed does with its lock.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        self.lock.unlock().expect("the lock is ours");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that is just being made has it open for a moment.
        let _ = self.lock.unlock();
    }
}

/// Where a server with files in that directory has its socket.
pub(crate) fn socket_in(directory: &Path, name: &str) -> PathBuf {
    let near = directory.join(name);
    if near.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return near;
    }
    Path::new(SHORT_DIRECTORY).join(format!("millrace-{}", digest(directory))).join(name)
}

/// The wanted directory if `account` can get there, or else one of its own, and whether it was moved.
fn place_for(wanted: &Path, account: Account) -> Result<(PathBuf, bool), Error> {
    let elsewhere = elsewhere(wanted);
    let parent = wanted.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).at(parent)?;
    // Data that was put elsewhere stays there, even if the way is open now.
    let moved = elsewhere.exists() || !account.can_enter(parent)?;
    let directory = if moved { elsewhere } else { wanted.to_owned() };
    make_private(&directory)?;
    account.own(&directory)?;
    Ok((directory, moved))
}

fn make_private(directory: &Path) -> Result<(), Error> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).at(parent)?;
    }
    DirBuilder::new().mode(0o700).create(directory).at(directory)
}

fn elsewhere(wanted: &Path) -> PathBuf {
    Path::new(ELSEWHERE).join(digest(wanted))
}

/// A short name that is always the same for a path.
fn digest(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
