//! Finds the installed servers and says how to install the ones that are missing.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At, Error};

/// Where package managers put the versions of Postgres that are not on `PATH`; `*` is the version.
const POSTGRES_DIRECTORIES: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// An installed Postgres: the directory of its programs and its major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresInstallation {
    pub directory: PathBuf,
    pub major: String,
}

impl PostgresInstallation {
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The Postgres to use for a new database.
///
/// # Errors
/// [`Error::Missing`] with the command that installs it.
pub fn postgres() -> Result<PostgresInstallation, Error> {
    postgres_installations().into_iter().next().ok_or_else(|| Error::Missing {
        program: "PostgreSQL",
        install: install_command(&[
            ("apt-get", "postgresql"),
            ("dnf", "postgresql-server"),
            ("brew", "postgresql@17"),
        ]),
    })
}

/// Every installed Postgres: the one on `PATH` first, then the newest.
pub fn postgres_installations() -> Vec<PostgresInstallation> {
    let mut versioned: Vec<_> = POSTGRES_DIRECTORIES
        .iter()
        .flat_map(|(parent, prefix, programs)| versioned_directories(parent, prefix, programs))
        .collect();
    versioned.sort_by_key(|(version, _)| std::cmp::Reverse(*version));

    let mut found: Vec<PostgresInstallation> = Vec::new();
    // Its companions stand beside the program itself, not beside a link to it.
    let on_path = on_path("postgres")
        .and_then(|program| program.canonicalize().ok())
        .and_then(|program| program.parent().map(Path::to_owned));
    for directory in on_path.into_iter().chain(versioned.into_iter().map(|(_, directory)| directory)) {
        let complete = ["postgres", "initdb"].iter().all(|name| directory.join(name).is_file());
        if !complete || found.iter().any(|known| known.directory == directory) {
            continue;
        }
        if let Some(major) = major_version(&directory.join("postgres")) {
            found.push(PostgresInstallation { directory, major });
        }
    }
    found
}

/// The Redis or Valkey server program.
///
/// # Errors
/// [`Error::Missing`] with the command that installs it.
pub fn redis() -> Result<PathBuf, Error> {
    ["redis-server", "valkey-server"].iter().find_map(on_path).ok_or_else(|| Error::Missing {
        program: "Redis",
        install: install_command(&[("apt-get", "redis-server"), ("dnf", "redis"), ("brew", "redis")]),
    })
}

/// What a program answers to `--version`, first line.
///
/// # Errors
/// [`Error::Io`] if it cannot be run.
pub fn version(program: &Path) -> Result<String, Error> {
    let output = Command::new(program).arg("--version").output().at(program)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The program of that name on `PATH`.
pub fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name.as_ref()))
        .find(|candidate| candidate.is_file())
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` is version 15.
fn major_version(postgres: &Path) -> Option<String> {
    let answer = version(postgres).ok()?;
    let (_, number) = answer.split_once("(PostgreSQL) ")?;
    let major: String = number.chars().take_while(char::is_ascii_digit).collect();
    (!major.is_empty()).then_some(major)
}

fn versioned_directories(parent: &str, prefix: &str, programs: &str) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(programs)))
        })
        .collect()
}

/// The command line for the package manager that is here, or for the first when none is.
fn install_command(packages: &[(&str, &str)]) -> String {
    packages
        .iter()
        .find(|(manager, _)| on_path(manager).is_some())
        .or(packages.first())
        .map(|(manager, package)| format!("{manager} install {package}"))
        .unwrap_or_default()
}
