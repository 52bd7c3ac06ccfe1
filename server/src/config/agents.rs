//! Section `[agents]`.

use serde::Deserialize;

/// The agents that Millrace knows how to run.
pub const BUILT_IN: [&str; 7] = ["claude", "codex", "gemini", "qwen", "opencode", "aider", "demo"];

#[derive(Clone, Debug, Deserialize)]
pub struct AgentsConfig {
    pub default: String,
}

impl AgentsConfig {
    /// All agents that can be asked for, the default one first.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.default.clone()];
        names.extend(BUILT_IN.iter().filter(|name| **name != self.default).map(|name| (*name).to_owned()));
        names
    }
}
