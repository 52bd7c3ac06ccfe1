//! Looks which agents could be started here.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use app::model::AgentStatus;
use futures::future::join_all;
use millrace_stack::programs;
use tokio::{process::Command, time::timeout};

use super::{Profile, all};
use crate::config::AgentsConfig;

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// What there is of each agent on this machine. It starts the programs that are there, to ask for their versions, which
/// takes some a second; not the operator's own ones, which may know no such question.
pub async fn survey(config: &AgentsConfig) -> Vec<AgentStatus> {
    join_all(all(config).into_iter().map(|agent| status(agent.profile()))).await
}

async fn status(profile: Profile) -> AgentStatus {
    let program = find_program(&profile.program);
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let version = match (&program, profile.install) {
        (Some(program), Some(_)) => version(program).await,
        _ => None,
    };
    AgentStatus {
        resumes: profile.resumes(),
        name: profile.name,
        title: profile.title,
        installed: program.is_some(),
        version,
        install: profile.install.map(str::to_owned),
        wanted_credentials: profile.credentials.iter().map(|name| (*name).to_owned()).collect(),
        credentials: profile.credentials.iter().copied().filter(is_set).map(str::to_owned).collect(),
    }
}

/// A program by its path, or by its name on `PATH`.
pub fn find_program(program: &Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return program.is_file().then(|| program.to_owned());
    }
    programs::on_path(program)
}

/// The first line that it answers.
async fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let answer = timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
