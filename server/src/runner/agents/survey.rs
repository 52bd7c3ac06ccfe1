//! Looks which agents could be started here.

use std::{env, path::PathBuf, thread};

use app::model::AgentStatus;
use millrace_stack::programs;

use super::{Profile, all};
use crate::config::AgentsConfig;

/// What there is of each agent on this machine. It starts every program that is there, to ask for its version, which takes
/// some a second.
pub fn survey(config: &AgentsConfig) -> Vec<AgentStatus> {
    let profiles = all(config).into_iter().map(|agent| agent.profile());
    let asked: Vec<_> = profiles.map(|profile| thread::spawn(|| status(profile))).collect();
    asked.into_iter().filter_map(|status| status.join().ok()).collect()
}

fn status(profile: Profile) -> AgentStatus {
    let program = program(&profile);
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    AgentStatus {
        resumes: profile.resumes(),
        name: profile.name,
        title: profile.title,
        installed: program.is_some(),
        version: program.and_then(|program| programs::version(&program).ok()).filter(|text| !text.is_empty()),
        install: profile.install.map(str::to_owned),
        wanted_credentials: profile.credentials.iter().map(|name| (*name).to_owned()).collect(),
        credentials: profile.credentials.iter().copied().filter(is_set).map(str::to_owned).collect(),
    }
}

fn program(profile: &Profile) -> Option<PathBuf> {
    if profile.program.is_absolute() {
        return Some(profile.program.clone()).filter(|program| program.is_file());
    }
    programs::on_path(&profile.program)
}
