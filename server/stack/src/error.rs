//! What can go wrong, in words for the person who has to mend it.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{program} is not installed. Install it with: {install}")]
    Missing { program: &'static str, install: String },
    #[error(
        "{} was made by PostgreSQL {data}, but only version {installed} is installed. Install \
         PostgreSQL {data}, or move the directory away to begin with an empty database",
        directory.display()
    )]
    OtherVersion { directory: PathBuf, data: String, installed: String },
    #[error("{} is in use by another Millrace process. Stop that one first", directory.display())]
    InUse { directory: PathBuf },
    #[error(
        "{} is open to other users or belongs to one. Remove it and start again",
        directory.display()
    )]
    NotPrivate { directory: PathBuf },
    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as. \
         Add a user `postgres`, or start Millrace as an ordinary user"
    )]
    NoAccount,
    #[error("{program} did not start. The end of {}:\n{tail}", log.display())]
    DidNotStart { program: &'static str, log: PathBuf, tail: String },
    #[error("{program} (process {pid}) does not stop. End it by hand")]
    DoesNotStop { program: &'static str, pid: u32 },
    #[error("{} failed: {output}", program.display())]
    Failed { program: PathBuf, output: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("no random numbers from the system: {0}")]
    Random(#[from] getrandom::Error),
}

/// Says which file an [`io::Error`] is about.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}
