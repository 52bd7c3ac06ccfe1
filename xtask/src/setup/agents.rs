//! The real agents, by the versions of the lock file in `xtask/agents`, in a directory that all working copies share.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::node;
use crate::progress::Step;
use crate::workspace::{self, Stamp, fingerprint};

/// What says which agents there are.
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The agents that are programs rather than scripts put them in place by a script of their own.
const SCRIPTS: [(&str, &str); 2] =
    [("@anthropic-ai/claude-code", "install.cjs"), ("opencode-ai", "postinstall.mjs")];

/// Installs them unless that was done before, and gives the directory of their programs.
pub(crate) fn install() -> Result<PathBuf> {
    let source = workspace::root().join("xtask/agents");
    let directory = workspace::cache()?.join("agents");
    let files = FILES.map(|name| source.join(name));
    let stamp = Stamp::new(directory.join("node_modules/.installed"), fingerprint(&files)?);
    let programs = directory.join("node_modules/.bin");
    if stamp.is_current() {
        return Ok(programs);
    }
    let step = Step::begin("Install the agents");
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
    for (package, script) in SCRIPTS {
        let package = directory.join("node_modules").join(package);
        step.run(node::command("node", &directory)?.current_dir(package).arg(script))?;
    }
    stamp.save()?;
    step.done();
    Ok(programs)
}
