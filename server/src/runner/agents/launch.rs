//! What an agent is to do, and the start that its adapter makes of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use url::Url;

use super::Key;
use crate::config::{AgentConfig, HostPattern};

/// What an agent is to do.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    pub prompt: &'a str,
    /// HOME, by the path that the agent sees.
    pub home: &'a Path,
    /// Where its provider is asked, if not where the settings say.
    pub base_url: Option<&'a str>,
    /// The model that the job asks for; otherwise that of the settings, or else the agent's own choice.
    pub model: Option<&'a str>,
    /// The session to go on with, whose files are in HOME again.
    pub resume: Option<&'a str>,
}

/// How to start an agent. Whoever starts it adds what every child gets: PATH, HOME, TMPDIR and the like.
///
/// It holds credentials, so it cannot be printed.
#[derive(Clone, Default)]
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Everything that it reads from its standard input.
    pub stdin: String,
    /// What must lie in HOME before it starts.
    pub files: Vec<HomeFile>,
    secrets: Vec<String>,
}

/// A file in HOME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFile {
    /// Relative to HOME.
    pub path: &'static str,
    pub content: String,
}

/// What is shorter is a switch or a region rather than a key, and would be found in any text.
const SHORTEST_SECRET: usize = 8;

impl Launch {
    pub(super) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..Self::default() }
    }

    /// What must not be seen in the output: the values that were passed on from the runner's environment.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    pub(super) fn arg(&mut self, argument: impl Into<String>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn args<'a>(&mut self, arguments: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    pub(super) fn env(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn file(&mut self, path: &'static str, content: impl Into<String>) -> &mut Self {
        self.files.push(HomeFile { path, content: content.into() });
        self
    }

    /// Passes on the credentials that the runner has, and what the operator names.
    pub(super) fn pass_on(
        &mut self,
        credentials: &[&str],
        named: &[String],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> &mut Self {
        for name in credentials.iter().copied().chain(named.iter().map(String::as_str)) {
            if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
                self.environment.insert(name.to_owned(), value.clone());
                if value.len() >= SHORTEST_SECRET {
                    self.secrets.push(value);
                }
            }
        }
        self
    }
}

/// The hosts of an agent that talks to `usual` ones unless the settings name another.
pub(super) fn hosts(settings: &AgentConfig, usual: &[&str]) -> Vec<HostPattern> {
    match settings.base_url.as_ref().and_then(host) {
        Some(host) => host.parse().into_iter().collect(),
        None => usual.iter().filter_map(|host| host.parse().ok()).collect(),
    }
}

/// `host`, or `host:port` where the address names a port.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Where the agent is to ask its provider, without a slash at the end; nothing for the usual address.
pub(super) fn base_url(task: &Task<'_>, settings: &AgentConfig) -> Option<String> {
    let url = task.base_url.or(settings.base_url.as_ref().map(Url::as_str))?;
    Some(url.trim_end_matches('/').to_owned())
}

/// What these variables hold is for the settings' address, or else for the usual one.
pub(super) fn key(
    settings: &AgentConfig,
    usual: Option<&str>,
    variables: &'static [&'static str],
) -> Option<Key> {
    let provider = settings.base_url.clone().or_else(|| usual?.parse().ok())?;
    Some(Key { provider, variables })
}

/// The job's model, or else that of the settings.
pub(super) fn model<'a>(task: &Task<'a>, settings: &'a AgentConfig) -> Option<&'a str> {
    task.model.or(settings.model.as_deref())
}
