//! The git command line, told to run nothing that a repository brings along and to ask nobody anything.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

/// What git said when it failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git could not be started: {0}. Install git on the runner's machine")]
    Missing(std::io::Error),
    #[error("{}", said(.0))]
    Failed(String),
}

/// Settings that go before those of the repository and of the person who runs the runner.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
];

/// Runs git in `directory` and returns what it printed.
pub(super) async fn git(directory: &Path, arguments: &[&str]) -> Result<String, GitError> {
    let mut command = Command::new("git");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    let result = command
        .args(arguments)
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        .env("LC_ALL", "C")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(GitError::Missing)?;
    if result.status.success() {
        Ok(String::from_utf8_lossy(&result.stdout).trim_end().to_owned())
    } else {
        Err(GitError::Failed(String::from_utf8_lossy(&result.stderr).into_owned()))
    }
}

/// The lines of git's message that say what is wrong, without its markers.
fn said(stderr: &str) -> String {
    const LINES: usize = 4;
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let problems =
        lines.iter().filter_map(|line| line.strip_prefix("fatal: ").or(line.strip_prefix("error: ")));
    let problems: Vec<&str> = problems.take(LINES).collect();
    let chosen =
        if problems.is_empty() { lines[lines.len().saturating_sub(LINES)..].to_vec() } else { problems };
    chosen.join(" · ")
}
