//! The git command line, told to run nothing that a repository brings along and to ask nobody anything.

use std::{path::Path, process::Stdio, time::Duration};

use rustix::process::Signal;
use tokio::{process::Command, time::timeout};

use super::{
    access::Access,
    process::{Group, die_with_parent},
};

/// What git said when it failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git could not be started: {0}. Install git on the runner's machine")]
    Missing(std::io::Error),
    #[error("{}", said(.0))]
    Failed(String),
    #[error("it took longer than {}", humantime::format_duration(*.0))]
    TooSlow(Duration),
}

/// Settings that go before those of the repository and of the person who runs the runner.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    // A repository among the files of another is data.
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
];

/// Every object from elsewhere is looked at: names such as `.git` in a tree, and what else git has learnt to fear. What
/// old programs wrote wrongly and nobody can change any more is let through.
const LOOK_AT_OBJECTS: [&str; 10] = [
    "fetch.fsckObjects=true",
    "fetch.fsck.badDateOverflow=ignore",
    "fetch.fsck.badEmail=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.duplicateEntries=ignore",
    "fetch.fsck.missingEmail=ignore",
    "fetch.fsck.missingNameBeforeEmail=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.missingSpaceBeforeEmail=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
];

/// A server that says nothing for two minutes is given up. One that makes a large pack says every few seconds that it is there.
const GIVE_UP_ON_SILENCE: [&str; 2] = ["http.lowSpeedLimit=1", "http.lowSpeedTime=120"];
/// The same for ssh, which must not ask either.
const SSH: &str =
    "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=30 -o ServerAliveCountMax=4";

/// Variables of the runner's own environment that would lead git to other places.
const MISLEADING: [&str; 6] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

/// What git says where its token is not, or no longer, valid.
const NOT_LET_IN: [&str; 3] = ["error: 401", "Authentication failed", "could not read Username"];

/// Runs git on the repository in `directory` and returns what it printed. The settings of the machine and of the person
/// who runs the runner do not count: a filter among them would be run by whoever names it in a `.gitattributes`.
pub(super) async fn git(directory: &Path, arguments: &[&str]) -> Result<String, GitError> {
    answer(own_command(directory).args(arguments)).await
}

/// The same, for no longer than this.
pub(super) async fn git_within(
    limit: Duration,
    directory: &Path,
    arguments: &[&str],
) -> Result<String, GitError> {
    answer_within(limit, own_command(directory).args(arguments)).await
}

/// How git reaches another repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'a> {
    /// What lets it in, unless it knows by itself.
    pub access: Option<&'a Access>,
    /// How long it may take.
    pub limit: Duration,
}

/// Runs git to fetch from another repository: every object is looked at, and none of what is fetched becomes a file.
pub(super) async fn git_remote(
    directory: &Path,
    reach: Reach<'_>,
    arguments: &[&str],
) -> Result<String, GitError> {
    let mut command = remote_command(directory, reach, &LOOK_AT_OBJECTS);
    answer_remote(reach, command.args(arguments)).await
}

/// A git that speaks to another repository. The settings of the machine and the person do count, for they say how to sign
/// in and how to reach it.
pub(super) fn remote_command(directory: &Path, reach: Reach<'_>, settings: &[&str]) -> Command {
    let mut command = command(directory, &[&GIVE_UP_ON_SILENCE, settings].concat());
    if let Some(access) = reach.access {
        access.give(&mut command);
    }
    command.env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    command
}

/// A git in `directory` that waits for its arguments and has no settings but Millrace's.
pub(super) fn own_command(directory: &Path) -> Command {
    let mut command = command(directory, &[]);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

/// A git in `directory` that waits for its arguments, and may ask for its person's settings.
pub(super) fn command(directory: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new("git");
    for setting in SETTINGS.iter().chain(settings) {
        command.args(["-c", setting]);
    }
    for name in MISLEADING {
        command.env_remove(name);
    }
    // The repository is named rather than looked for, unless it is about to be made.
    let nested = directory.join(".git");
    if nested.exists() {
        command.env("GIT_DIR", nested);
    } else if directory.join("HEAD").exists() {
        command.env("GIT_DIR", directory);
    }
    command
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSH_COMMAND", SSH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    die_with_parent(&mut command);
    command
}

/// Runs it to its end and returns what it printed. Where nobody waits for that any more, it ends with all that it has started.
pub(super) async fn answer(command: &mut Command) -> Result<String, GitError> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(GitError::Missing)?;
    let _group = EndedWith(Group::of(&child));
    let result = child.wait_with_output().await.map_err(GitError::Missing)?;
    if result.status.success() {
        Ok(String::from_utf8_lossy(&result.stdout).trim_end().to_owned())
    } else {
        Err(GitError::Failed(String::from_utf8_lossy(&result.stderr).into_owned()))
    }
}

/// The same, for no longer than this.
pub(super) async fn answer_within(limit: Duration, command: &mut Command) -> Result<String, GitError> {
    timeout(limit, answer(command)).await.unwrap_or(Err(GitError::TooSlow(limit)))
}

/// The same, for a git that speaks to another repository.
pub(super) async fn answer_remote(reach: Reach<'_>, command: &mut Command) -> Result<String, GitError> {
    let answer = answer_within(reach.limit, command).await;
    if let (Some(access), Err(GitError::Failed(message))) = (reach.access, &answer)
        && NOT_LET_IN.iter().any(|said| message.contains(said))
    {
        access.note_refusal();
    }
    answer
}

/// A group of processes that ends with this value: git has helpers, which wait for a server as it does.
struct EndedWith(Group);

impl Drop for EndedWith {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
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
