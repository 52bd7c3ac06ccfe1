//! The settings: one struct a section of `Leptos.toml`, checked when the program starts.
//!
//! The file that ships with the source is compiled in and holds the defaults, so there is one place for them.

mod agents;
mod author;
mod error;
mod github;
mod load;
mod sandbox;
mod sections;

pub use agents::{AgentConfig, AgentsConfig, CustomAgentConfig};
pub use author::Author;
pub use error::ConfigError;
pub use github::{Forks, GitHubConfig, Member, PullRequestState};
pub use load::{Overrides, load};
pub use sandbox::{Endpoint, HostPattern, KeysPlace, SandboxConfig, SandboxMode};
pub use sections::{
    DatabaseConfig, LimitsConfig, LocalRepositories, LogConfig, LogFormat, MOST_ATTEMPTS, Network,
    OutputConfig, PublishConfig, Push, QueueConfig, RedisConfig, RetentionConfig, RunnerConfig, ServerConfig,
    is_local,
};

/// All settings, checked.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub redis: RedisConfig,
    pub queue: QueueConfig,
    pub runner: RunnerConfig,
    pub agents: AgentsConfig,
    pub sandbox: SandboxConfig,
    pub publish: PublishConfig,
    pub github: GitHubConfig,
    pub limits: LimitsConfig,
    pub output: OutputConfig,
    pub retention: RetentionConfig,
    pub log: LogConfig,
}
