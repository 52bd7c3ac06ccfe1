//! Builds the release binary and runs it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{self, cargo};
use crate::progress::Step;
use crate::setup::{self, Purpose};
use crate::{site, workspace};

/// Builds the release binary with the site in it, and gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    compile(&["--package=millrace"])
}

/// Builds these packages with the site, and gives the path of the release binary.
fn compile(packages: &[&str]) -> Result<PathBuf> {
    setup::run(Purpose::Build)?;
    site::build()?.print();
    let step = Step::begin("Compile Millrace");
    step.run(cargo().args(["build", "--release"]).args(packages))?;
    step.done();
    Ok(workspace::target_directory()?.join("release/millrace"))
}

/// Builds, and becomes `millrace up`: from then on Ctrl-C is its own business.
pub(crate) fn up(arguments: Vec<String>) -> Result<()> {
    let mut millrace = Command::new(build()?);
    millrace.arg("up");
    let names_directory =
        arguments.iter().any(|word| word == "--data-dir" || word.starts_with("--data-dir="));
    if !names_directory {
        millrace.arg("--data-dir").arg(workspace::root().join(".millrace"));
    }
    let error = millrace.args(arguments).exec();
    Err(error).with_context(|| command::describe(&millrace))
}

/// Measures a release build. The bench starts Postgres and Redis for itself, as durable as in earnest.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    setup::run(Purpose::Build)?;
    site::build()?.print();
    let bench = ["bench", "--package=millrace", "--bench=millrace"];
    let step = Step::begin("Compile Millrace and the bench");
    step.run(cargo().args(bench).arg("--no-run"))?;
    step.done();
    command::show(cargo().args(bench).arg("--").args(arguments))
}

/// Breaks a release build. The harness starts Postgres and Redis for itself.
pub(crate) fn chaos(arguments: &[String]) -> Result<()> {
    let millrace = compile(&["--package=millrace", "--package=millrace-chaos"])?;
    command::show(chaos_of(&millrace).args(arguments))
}

/// The harness that was built with this binary, to break it.
pub(crate) fn chaos_of(millrace: &Path) -> Command {
    let mut command = Command::new(millrace.with_file_name("millrace-chaos"));
    command.arg("--millrace").arg(millrace);
    command
}
