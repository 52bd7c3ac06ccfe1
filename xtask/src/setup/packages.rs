//! The programs that come from the system's package manager.

use std::io::{self, IsTerminal as _};
use std::process::Command;

use anyhow::{Context, Result, bail};
use millrace_stack::programs;

use super::{Purpose, browser, node};
use crate::progress::Step;

/// A program, how to see that it is there, and what brings it.
struct Program {
    name: &'static str,
    is_there: fn() -> bool,
    debian: &'static [&'static str],
}

const FOR_BUILDING: &[Program] = &[
    Program {
        name: "PostgreSQL (server programs and psql)",
        is_there: || programs::postgres().is_ok_and(|found| found.program("psql").is_file()),
        debian: &["postgresql"],
    },
    Program { name: "Redis or Valkey", is_there: || programs::redis().is_ok(), debian: &["redis-server"] },
    Program { name: "git", is_there: || programs::on_path("git").is_some(), debian: &["git"] },
    Program {
        name: "bubblewrap",
        is_there: || programs::on_path("bwrap").is_some(),
        debian: &["bubblewrap"],
    },
    Program { name: "Node.js with npm", is_there: node::is_there, debian: &["nodejs", "npm"] },
];

const FOR_TESTING: &[Program] =
    &[Program { name: "openssl", is_there: || programs::on_path("openssl").is_some(), debian: &["openssl"] }];

const FOR_JOURNEYS: &[Program] =
    &[Program { name: "Chromium", is_there: || browser::find().is_some(), debian: &["chromium"] }];

pub(super) fn install_missing(purpose: Purpose) -> Result<()> {
    let missing = missing(purpose);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().flat_map(|program| program.debian).copied().collect();
    if programs::on_path("apt-get").is_none() {
        let names: Vec<_> = missing.iter().map(|program| program.name).collect();
        bail!("install these programs, then run this again: {}", names.join(", "));
    }
    let step = Step::begin(format!("Install {}", packages.join(", ")));
    install(&step, &packages)?;
    step.done();
    Ok(())
}

fn missing(purpose: Purpose) -> Vec<&'static Program> {
    let lists: &[&[Program]] = match purpose {
        Purpose::Build => &[FOR_BUILDING],
        Purpose::Test => &[FOR_BUILDING, FOR_TESTING],
        Purpose::Journeys => &[FOR_BUILDING, FOR_TESTING, FOR_JOURNEYS],
    };
    lists.iter().copied().flatten().filter(|program| !(program.is_there)()).collect()
}

/// Installs Debian packages. A machine that knows its packages needs no update, which takes longer than
/// most of them.
pub(super) fn install(step: &Step, packages: &[&str]) -> Result<()> {
    let install = || -> Result<()> {
        let mut command = apt_get()?;
        step.run(command.args(["install", "--yes", "--no-install-recommends"]).args(packages))
    };
    if install().is_ok() {
        return Ok(());
    }
    let updated = apt_get().and_then(|mut command| step.run(command.arg("update")));
    updated
        .and_then(|()| install())
        .with_context(|| format!("run this, then try again: sudo apt-get install {}", packages.join(" ")))
}

/// `apt-get`, through sudo for an ordinary user.
fn apt_get() -> Result<Command> {
    let assignment = "DEBIAN_FRONTEND=noninteractive";
    let mut command;
    if rustix::process::geteuid().is_root() {
        command = Command::new("env");
    } else if programs::on_path("sudo").is_some() {
        command = Command::new("sudo");
        if !io::stdin().is_terminal() {
            // It cannot ask, and must not wait for an answer.
            command.arg("--non-interactive");
        }
        command.arg("env");
    } else {
        bail!("installing packages needs root, and there is no sudo");
    }
    command.args([assignment, "apt-get", "--quiet"]);
    Ok(command)
}
