//! Keeps `.sqlx` current: what a real database says about every compile-time checked query.
//!
//! The query macros write these files themselves when they are expanded with a database at hand and
//! `SQLX_OFFLINE_DIR` set, which is all that `cargo sqlx prepare` does too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use millrace_stack::{Postgres, Scratch};

use crate::command::cargo;
use crate::progress::Step;
use crate::workspace::{self, Stamp, fingerprint};

/// The files by name.
type Queries = BTreeMap<String, String>;

/// Writes `.sqlx` anew.
pub(crate) fn renew() -> Result<()> {
    let directory = workspace::root().join(".sqlx");
    let expected = ask_database(&Scratch::start()?.postgres)?;
    let present = read(&directory)?;
    fs::create_dir_all(&directory)?;
    for name in present.keys().filter(|name| !expected.contains_key(*name)) {
        fs::remove_file(directory.join(name))?;
    }
    for (name, content) in &expected {
        if present.get(name) != Some(content) {
            fs::write(directory.join(name), content)?;
        }
    }
    println!("Queries in .sqlx: {}", expected.len());
    current_stamp()?.save()
}

/// Fails if `.sqlx` is not what the database says. Costs nothing when that was seen before.
pub(crate) fn check() -> Result<()> {
    let stamp = current_stamp()?;
    if stamp.is_current() {
        return Ok(());
    }
    let expected = ask_database(&Scratch::start()?.postgres)?;
    let present = read(&workspace::root().join(".sqlx"))?;
    let names = expected.keys().chain(present.keys());
    let stale = names.filter(|name| expected.get(*name) != present.get(*name)).count();
    if stale > 0 {
        bail!(".sqlx is not current; run `cargo xtask prepare` and commit the result");
    }
    stamp.save()
}

/// Everything that the answer depends on.
fn current_stamp() -> Result<Stamp> {
    let root = workspace::root();
    let mut inputs = vec![root.join("Cargo.lock")];
    for directory in ["server/src", "server/migrations", ".sqlx"] {
        inputs.extend(workspace::files_under(&root.join(directory))?);
    }
    Ok(Stamp::new(workspace::target_directory()?.join("sqlx.stamp"), fingerprint(&inputs)?))
}

/// Migrates an empty database and has the macros ask it.
fn ask_database(postgres: &Postgres) -> Result<Queries> {
    let step = Step::begin("Check the queries against a database");
    for migration in workspace::files_under(&workspace::root().join("server/migrations"))? {
        if migration.extension().is_some_and(|kind| kind == "sql") {
            step.run(psql(postgres).arg("--single-transaction").arg("--file").arg(migration))?;
        }
    }
    expand_again()?;
    let answers = tempfile::tempdir()?;
    step.run(
        cargo()
            .args(["check", "--package=millrace", "--lib"])
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", answers.path())
            .env("DATABASE_URL", postgres.url()),
    )?;
    step.done();
    read(answers.path())
}

fn psql(postgres: &Postgres) -> Command {
    let mut psql = Command::new(postgres.installation().program("psql"));
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", postgres.url()]);
    psql
}

/// Cargo compiles what is newer than its last result.
fn expand_again() -> Result<()> {
    let library = workspace::root().join("server/src/lib.rs");
    File::options()
        .append(true)
        .open(&library)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| library.display().to_string())
}

fn read(directory: &Path) -> Result<Queries> {
    let mut queries = Queries::new();
    for path in workspace::files_under(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            queries.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(queries)
}
