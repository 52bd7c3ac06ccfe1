//! Node.js for Tailwind and Playwright, and the packages that lock files name.

use std::env;
use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use millrace_stack::programs;

use crate::progress::Step;
use crate::workspace::{self, Stamp, fingerprint};

/// The oldest that Tailwind and Playwright accept.
const OLDEST: u32 = 20;

/// Debian's is often older than that. npm has every version.
const OWN: &str = "24";

pub(super) fn is_there() -> bool {
    programs::on_path("node").is_some() && programs::on_path("npm").is_some()
}

pub(super) fn install_if_too_old() -> Result<()> {
    let installed = programs::on_path("node").context("Node.js is not installed")?;
    if major(&programs::version(&installed)?) >= OLDEST || own_node()?.exists() {
        return Ok(());
    }
    let step = Step::begin(format!("Fetch Node.js {OWN}"));
    let directory = own_directory()?;
    fs::create_dir_all(&directory)?;
    step.run(
        Command::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
            .arg(&directory)
            .arg(format!("{}@{OWN}", own_package()?)),
    )?;
    if !own_node()?.exists() {
        bail!("npm installed no {}", own_node()?.display());
    }
    step.done();
    Ok(())
}

/// Installs what the directory's lock file names, unless that was done before.
pub(crate) fn install_locked(directory: &Path) -> Result<()> {
    let lock = directory.join("package-lock.json");
    let stamp = Stamp::new(directory.join("node_modules/.installed"), fingerprint([&lock])?);
    if stamp.is_current() {
        return Ok(());
    }
    let name = directory.file_name().unwrap_or_default().display().to_string();
    let step = Step::begin(format!("Install the npm packages of {name}"));
    step.run(command("npm", directory)?.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    stamp.save()?;
    step.done();
    Ok(())
}

/// A program of Node's, or of the directory's packages, run there by a Node.js that is new enough.
pub(crate) fn command(program: &str, directory: &Path) -> Result<Command> {
    let local = directory.join("node_modules/.bin").join(program);
    let mut command = if local.exists() { Command::new(local) } else { Command::new(program) };
    command.current_dir(directory);
    let own = own_node()?;
    if let Some(own) = own.parent().filter(|_| own.exists()) {
        let mut path = OsString::from(own);
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
    }
    Ok(command)
}

fn own_directory() -> Result<PathBuf> {
    Ok(workspace::cache()?.join("node"))
}

fn own_node() -> Result<PathBuf> {
    Ok(own_directory()?.join("node_modules").join(own_package()?).join("bin/node"))
}

/// The npm package that holds nothing but the program for this machine.
fn own_package() -> Result<String> {
    let system = match OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("npm has no Node.js for {other}; install version {OLDEST} or newer"),
    };
    Ok(format!("node-{system}-{processor}"))
}

/// `v20.20.2` is 20.
fn major(version: &str) -> u32 {
    let number = version.trim_start_matches('v').split('.').next();
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
