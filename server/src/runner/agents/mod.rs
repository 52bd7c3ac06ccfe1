//! Coding agents behind one trait: how each is started, how its output is read, and what its end means.
//!
//! Nothing here starts a process or touches a file, except `survey`, which looks for the programs: the executor does what a
//! [`Launch`] says, hands every line to the [`Reader`] and tells it how the program ended.

mod aider;
mod blocks;
mod claude;
mod codex;
mod custom;
mod demo;
mod dialect;
mod ending;
mod gemini;
mod launch;
mod opencode;
mod qwen;
mod reason;
#[cfg(test)]
mod recorded;
mod shorten;
mod survey;
mod whole_lines;

use std::path::PathBuf;

use app::model::{Step, Stream, Timestamp};
use url::Url;

use self::{
    aider::Aider, claude::Claude, codex::Codex, custom::Custom, demo::Demo, gemini::Gemini,
    opencode::OpenCode, qwen::Qwen,
};
pub use self::{
    demo::DEMO,
    ending::{Cut, Ending, Exit, Failure, Told, Verdict},
    launch::{HomeFile, Launch, Task},
    survey::{find_program, survey},
    whole_lines::WholeLines,
};
use crate::config::{AgentsConfig, HostPattern};

/// A coding agent.
pub trait Agent: Send + Sync {
    fn profile(&self) -> Profile;

    /// How to start it on a task. `variable` looks up a variable of the runner's environment; only what the profile and the
    /// settings name is looked up.
    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch;

    /// A reader for the output of one start.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Understands what an agent prints, from its first line to its end.
pub trait Reader: Send {
    /// What a whole line means; nothing for a line that it does not understand. `at` is when it was printed.
    fn read(&mut self, stream: Stream, at: Timestamp, line: &str) -> Vec<Step>;

    /// What the agent has told of itself so far.
    fn told(&self) -> &Told;

    /// How it went, by its own words and by how the program ended.
    fn end(self: Box<Self>, exit: Exit) -> Ending;
}

/// What there is to know of an agent before it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How jobs and settings call it: `claude`.
    pub name: String,
    /// How people call it: "Claude Code".
    pub title: String,
    /// Looked for on `PATH` unless it is a path.
    pub program: PathBuf,
    /// The command that installs it; none where it is part of Millrace or the operator's own.
    pub install: Option<&'static str>,
    /// Variables that hold its credentials. One of them is enough; where there is none it needs none.
    pub credentials: &'static [&'static str],
    /// The key among them that it can do without in the sandbox.
    pub key: Option<Key>,
    /// Hosts that it must reach.
    pub hosts: Vec<HostPattern>,
    /// Files and directories of HOME that hold its sessions; it goes on with one of them where they are put back.
    pub sessions: &'static [&'static str],
}

/// A key for the one address that an agent asks: the runner can put it in for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub provider: Url,
    /// The agent signs with what it finds in any of these.
    pub variables: &'static [&'static str],
}

impl Profile {
    /// Whether it can go on with an earlier session.
    pub fn resumes(&self) -> bool {
        !self.sessions.is_empty()
    }
}

/// Every agent that a job can name, in the order in which people see them.
pub fn all(config: &AgentsConfig) -> Vec<Box<dyn Agent>> {
    let mut agents: Vec<Box<dyn Agent>> = vec![
        Box::new(Claude::new(config.claude.clone())),
        Box::new(Codex::new(config.codex.clone())),
        Box::new(Gemini::new(config.gemini.clone())),
        Box::new(Qwen::new(config.qwen.clone())),
        Box::new(OpenCode::new(config.opencode.clone())),
        Box::new(Aider::new(config.aider.clone())),
    ];
    for (name, settings) in &config.custom {
        agents.push(Box::new(Custom::new(name.clone(), settings.clone())));
    }
    agents.push(Box::new(Demo));
    agents
}

/// The agent of this name.
pub fn find(name: &str, config: &AgentsConfig) -> Option<Box<dyn Agent>> {
    all(config).into_iter().find(|agent| agent.profile().name == name)
}
