//! The user that Postgres runs as, because it refuses to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::{At, Error};

/// A user by numbers, which need not have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The user of this process.
    pub(crate) fn current() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    /// `postgres`, or else `nobody`.
    pub(crate) fn unprivileged() -> Result<Self, Error> {
        let path = Path::new("/etc/passwd");
        let users = fs::read_to_string(path).at(path)?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| users.lines().find_map(|line| parse_user(line, name)))
            .ok_or(Error::NoAccount)
    }

    /// Whose file that is; `None` when there is none.
    pub(crate) fn owner_of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self { uid: metadata.uid(), gid: metadata.gid() })
    }

    pub(crate) fn is_root(self) -> bool {
        self.uid == 0
    }

    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        if self == Self::current() {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid)).at(path)
    }

    /// Whether this user can get into the directory, asked by having it try.
    pub(crate) fn can_enter(self, directory: &Path) -> Result<bool, Error> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", ":"]).current_dir(directory);
        match command.status() {
            Ok(status) => Ok(status.success()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(error).at(directory),
        }
    }

    /// A command that runs as this user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if self != Self::current() {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

/// `name:password:uid:gid:…`
fn parse_user(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}
