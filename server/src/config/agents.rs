//! The section of the coding agents, which has a section for each of them.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

use super::{HostPattern, sections::optional_url};

#[derive(Clone, Debug, Deserialize)]
pub struct AgentsConfig {
    pub default: String,
    #[serde(rename = "wall_clock_minutes", deserialize_with = "minutes")]
    pub wall_clock: Duration,
    #[serde(rename = "silence_minutes", deserialize_with = "minutes")]
    pub silence: Duration,
    pub claude: AgentConfig,
    pub codex: AgentConfig,
    pub gemini: AgentConfig,
    pub qwen: AgentConfig,
    pub opencode: AgentConfig,
    pub aider: AgentConfig,
    #[serde(deserialize_with = "custom_agents")]
    pub custom: BTreeMap<String, CustomAgentConfig>,
}

/// The agents that Millrace knows.
const KNOWN: [&str; 7] = ["claude", "codex", "gemini", "qwen", "opencode", "aider", "demo"];

impl AgentsConfig {
    /// Whether a job can name this agent.
    pub fn knows(&self, name: &str) -> bool {
        KNOWN.contains(&name) || self.custom.contains_key(name)
    }

    /// The agents that a job can name, the default one first.
    pub fn names(&self) -> Vec<String> {
        let known = KNOWN.iter().map(|name| (*name).to_owned()).chain(self.custom.keys().cloned());
        let mut names = vec![self.default.clone()];
        names.extend(known.filter(|name| *name != self.default));
        names
    }
}

/// What can be set for an agent that Millrace knows.
#[derive(Clone, Debug, Deserialize)]
pub struct AgentConfig {
    /// Variables that it gets besides its credentials.
    pub environment: Vec<String>,
    #[serde(deserialize_with = "optional_url")]
    pub base_url: Option<Url>,
    #[serde(deserialize_with = "optional_text")]
    pub model: Option<String>,
    /// Only some have it.
    #[serde(default, deserialize_with = "optional_number")]
    pub max_turns: Option<NonZeroU32>,
    pub arguments: Vec<String>,
}

/// A program of the operator's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomAgentConfig {
    pub command: Words,
    #[serde(default)]
    pub environment: Vec<String>,
    #[serde(default)]
    pub hosts: Vec<HostPattern>,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Words {
    program: String,
    arguments: Vec<String>,
}

impl Words {
    pub fn program(&self) -> &str {
        &self.program
    }

    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl TryFrom<Vec<String>> for Words {
    type Error = &'static str;

    fn try_from(mut words: Vec<String>) -> Result<Self, &'static str> {
        if words.first().is_none_or(String::is_empty) {
            return Err("a command begins with its program");
        }
        Ok(Self { program: words.remove(0), arguments: words })
    }
}

fn custom_agents<'de, D: Deserializer<'de>>(
    value: D,
) -> Result<BTreeMap<String, CustomAgentConfig>, D::Error> {
    let agents = BTreeMap::<String, CustomAgentConfig>::deserialize(value)?;
    match agents.keys().find(|name| KNOWN.contains(&name.as_str())) {
        Some(name) => Err(D::Error::custom(format!("`{name}` is the name of an agent that Millrace knows"))),
        None => Ok(agents),
    }
}

fn minutes<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    let minutes = NonZeroU64::deserialize(value)?;
    let seconds = minutes.get().checked_mul(60).ok_or_else(|| D::Error::custom("that is too long"))?;
    Ok(Duration::from_secs(seconds))
}

fn optional_text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(value)?).filter(|text| !text.is_empty()))
}

fn optional_number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<NonZeroU32>, D::Error> {
    u32::deserialize(value).map(NonZeroU32::new)
}
