//! Builds the release binary and runs it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{self, cargo};
use crate::progress::Step;
use crate::setup::{self, Purpose};
use crate::{interrupt, site, workspace};

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
    if !names_directory(&arguments) {
        millrace.arg("--data-dir").arg(workspace::root().join(".millrace"));
    }
    let error = millrace.args(arguments).exec();
    Err(error).with_context(|| command::describe(&millrace))
}

/// Where the fake GitHub is.
const FAKE_GITHUB: &str = "127.0.0.1:7180";

/// Builds, and runs `millrace up` beside a fake GitHub, which forgets everything when it ends. So does Millrace, or it would
/// believe that it is still connected.
pub(crate) fn up_with_fake_github(arguments: &[String]) -> Result<()> {
    let path = compile(&["--package=millrace", "--package=millrace-fake-github"])?;
    let directory = tempfile::tempdir()?;
    let mut github = Command::new(path.with_file_name("millrace-fake-github"));
    // Ctrl-C is for Millrace first.
    github.args(["--listen", FAKE_GITHUB]).process_group(0);
    let mut github = Neighbour(github.spawn().with_context(|| command::describe(&github))?);
    println!("{}", what_to_try());
    let mut millrace = Command::new(path);
    millrace.arg("up").env("MILLRACE_GITHUB__URL", format!("http://{FAKE_GITHUB}"));
    if !names_directory(arguments) {
        millrace.arg("--data-dir").arg(directory.path());
    }
    let ended = command::show(millrace.args(arguments));
    github.stop();
    if interrupt::was_interrupted() { Ok(()) } else { ended }
}

fn what_to_try() -> String {
    format!(
        "
Fake GitHub: http://{FAKE_GITHUB}. When Millrace has printed its address:
  1. Open Millrace's address, sign in, and connect GitHub on the settings page; install the App for ada/orchard.
  2. Comment as grace in http://{FAKE_GITHUB}/ada/orchard/issues/1:
       @millrace agent=demo Say what is in here
  3. Watch the job on the board, then look at the issue again, and at its pull request.
"
    )
}

fn names_directory(arguments: &[String]) -> bool {
    arguments.iter().any(|word| word == "--data-dir" || word.starts_with("--data-dir="))
}

/// A program that runs beside another one and ends with us.
struct Neighbour(Child);

impl Neighbour {
    /// Asks it to end, so that it can clean up, and waits.
    fn stop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        if let Some(pid) = self.0.id().try_into().ok().and_then(Pid::from_raw)
            && kill_process(pid, Signal::TERM).is_ok()
        {
            let _ = self.0.wait();
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop();
    }
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
