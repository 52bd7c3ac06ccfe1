//! The real agents, by the versions of the lock files below `xtask/agents`, in directories that all working copies share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::node;
use crate::progress::Step;
use crate::workspace::{self, Stamp, fingerprint};

/// What says which agents there are, for npm.
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Agents that are installed together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set {
    /// Small, and quick to give up: what every run of the tests can afford.
    Codex,
    /// All others that npm has, and the Node.js that they want: more than a gigabyte.
    Others,
    /// The one that pip has.
    Aider,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Others => "others",
            Self::Aider => "aider",
        }
    }

    /// Those that are programs rather than scripts put them in place by a script of their own.
    fn scripts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Codex | Self::Aider => &[],
            Self::Others => {
                &[("@anthropic-ai/claude-code", "install.cjs"), ("opencode-ai", "postinstall.mjs")]
            }
        }
    }
}

/// Installs them unless that was done before, and gives the directory of their programs.
pub(crate) fn install(set: Set) -> Result<PathBuf> {
    let source = workspace::root().join("xtask/agents").join(set.name());
    let directory = workspace::cache()?.join("agents").join(set.name());
    if let Set::Aider = set {
        return with_pip(&source, &directory);
    }
    let files = FILES.map(|name| source.join(name));
    let stamp = Stamp::new(directory.join("node_modules/.installed"), fingerprint(&files)?);
    let programs = directory.join("node_modules/.bin");
    if stamp.is_current() {
        return Ok(programs);
    }
    let step = Step::begin(format!("Install the agents: {}", set.name()));
    fs::create_dir_all(&directory)?;
    for (name, file) in FILES.iter().zip(&files) {
        fs::copy(file, directory.join(name)).with_context(|| file.display().to_string())?;
    }
    // Not `npm ci`: it refuses when a registry lacks a package that only another system needs.
    step.run(node::command("npm", &directory)?.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]))?;
    for (package, script) in set.scripts() {
        let package = directory.join("node_modules").join(package);
        step.run(node::command("node", &directory)?.current_dir(package).arg(script))?;
    }
    stamp.save()?;
    step.done();
    Ok(programs)
}

/// An environment of Python's with what a list names.
fn with_pip(source: &Path, directory: &Path) -> Result<PathBuf> {
    let list = source.join("requirements.txt");
    let programs = directory.join("bin");
    let stamp = Stamp::new(directory.join(".installed"), fingerprint(std::slice::from_ref(&list))?);
    if stamp.is_current() {
        return Ok(programs);
    }
    let step = Step::begin("Install the agents: aider");
    step.run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
    step.run(
        Command::new(programs.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&list),
    )?;
    stamp.save()?;
    step.done();
    Ok(programs)
}
