//! One struct for each section. `Leptos.toml` explains the fields; here are only their types and rules.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use app::model::Kind;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de::Error};
use sqlx::postgres::PgConnectOptions;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::Author;
use crate::{queue, seal::Seal};

/// How many attempts a job can have at most.
pub const MOST_ATTEMPTS: u32 = 20;

#[derive(Clone, Debug, Deserialize)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "optional_url")]
    pub public_url: Option<Url>,
    pub data_dir: PathBuf,
    pub session_days: NonZeroU32,
    pub max_body_bytes: usize,
    #[serde(rename = "stream_seconds", deserialize_with = "seconds")]
    pub stream: Duration,
    /// Empty where the data directory holds the key.
    #[serde(deserialize_with = "secret_key")]
    pub secret_key: SecretString,
    pub trusted_proxies: Vec<Network>,
}

/// A network, or a single address: `10.0.0.0/8`, `127.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_: ipnet::AddrParseError| address());
        network
            .map(Self)
            .map_err(|_| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl ServerConfig {
    /// The address that people and links use, without a slash at its end.
    pub fn public_address(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.local_address()),
        }
    }

    /// Where this machine reaches the server: one that listens on all addresses has none of that name.
    pub fn local_address(&self) -> SocketAddr {
        let ip = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.listen.port())
    }

    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct DatabaseConfig {
    /// Empty where `millrace up` is to start its own.
    #[serde(deserialize_with = "database_url")]
    pub url: SecretString,
    pub max_connections: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RedisConfig {
    /// Empty where `millrace up` is to start its own.
    #[serde(deserialize_with = "redis_url")]
    pub url: SecretString,
    #[serde(deserialize_with = "optional_path")]
    pub ca_file: Option<PathBuf>,
    #[serde(deserialize_with = "key_prefix")]
    pub prefix: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct QueueConfig {
    pub concurrency: NonZeroU32,
    pub rate_per_minute: u32,
    #[serde(deserialize_with = "attempts")]
    pub max_attempts: u32,
    pub backoff_ms: u32,
    #[serde(rename = "ageing_seconds", deserialize_with = "seconds")]
    pub ageing: Duration,
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    pub lanes: HashMap<Kind, LaneConfig>,
}

/// What a lane has instead of the limits of all lanes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LaneConfig {
    #[serde(deserialize_with = "number_or_empty")]
    pub concurrency: Option<NonZeroU32>,
    #[serde(deserialize_with = "number_or_empty")]
    pub rate: Option<u32>,
}

impl QueueConfig {
    /// How many attempts of a lane may run at once.
    pub fn concurrency_of(&self, lane: Kind) -> NonZeroU32 {
        self.lanes.get(&lane).and_then(|lane| lane.concurrency).unwrap_or(self.concurrency)
    }

    /// How many attempts of a lane may start within a minute; 0 for no limit.
    pub fn rate_of(&self, lane: Kind) -> u32 {
        self.lanes.get(&lane).and_then(|lane| lane.rate).unwrap_or(self.rate_per_minute)
    }

    /// How often a runner renews its leases: several times within one, so that a renewal that fails does not lose it.
    pub fn heartbeat(&self) -> Duration {
        const BEATS_PER_LEASE: u32 = 6;
        const LONGEST: Duration = Duration::from_secs(2);
        (self.lease / BEATS_PER_LEASE).min(LONGEST)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunnerConfig {
    pub name: String,
    pub slots: NonZeroU32,
    pub lanes: Vec<Kind>,
    pub local_repositories: LocalRepositories,
    pub environment: Vec<String>,
    #[serde(rename = "kill_after_seconds", deserialize_with = "seconds")]
    pub kill_after: Duration,
    #[serde(rename = "grace_seconds", deserialize_with = "seconds_or_none")]
    pub grace: Duration,
    #[serde(rename = "git_seconds", deserialize_with = "seconds")]
    pub git_limit: Duration,
    #[serde(deserialize_with = "optional_address")]
    pub metrics_listen: Option<SocketAddr>,
}

/// Whether a job may name a repository by its path on the runner's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalRepositories {
    /// `millrace up` allows it.
    Auto,
    Allow,
    Refuse,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PublishConfig {
    pub push: Push,
    pub author: Author,
}

/// Where the branches of agents are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Push {
    Never,
    /// To repositories on the runner's disk, and to those that the connection to GitHub may push to.
    Local,
    /// To every address that the runner's git may push to.
    Any,
}

impl Push {
    /// Repositories that Millrace's connection to GitHub may push to.
    pub fn allows_github(self) -> bool {
        self != Self::Never
    }

    pub fn allows(self, repository: &str) -> bool {
        match self {
            Self::Never => false,
            Self::Local => is_local(repository),
            Self::Any => true,
        }
    }
}

/// Whether this is a repository on the runner's disk.
pub fn is_local(repository: &str) -> bool {
    Path::new(repository).is_absolute() || repository.starts_with("file://")
}

#[derive(Clone, Debug, Deserialize)]
pub struct LimitsConfig {
    pub script_bytes: usize,
    pub prompt_bytes: usize,
    pub requests_per_minute: u32,
    pub failed_sign_ins_per_minute: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct OutputConfig {
    #[serde(deserialize_with = "line_bytes")]
    pub line_bytes: usize,
    pub live_lines: NonZeroU64,
    #[serde(rename = "live_hours", deserialize_with = "hours")]
    pub live_for: Duration,
    #[serde(rename = "failed_live_hours", deserialize_with = "hours")]
    pub failed_live_for: Duration,
    pub spool_bytes: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RetentionConfig {
    /// For ever where it is `None`.
    #[serde(rename = "jobs_days", deserialize_with = "days")]
    pub jobs: Option<Duration>,
    #[serde(rename = "output_days", deserialize_with = "days")]
    pub output: Option<Duration>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct LogConfig {
    pub format: LogFormat,
    #[serde(deserialize_with = "log_filter")]
    pub level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// A number, which a variable has as text; or nothing.
fn number_or_empty<'de, D: Deserializer<'de>, N: FromStr>(value: D) -> Result<Option<N>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "write a whole number, or leave it empty")]
    enum Given {
        Number(i64),
        Text(String),
    }
    let text = match Given::deserialize(value)? {
        Given::Number(number) => number.to_string(),
        Given::Text(text) => text.trim().to_owned(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| {
        D::Error::custom(format!("`{text}` is no number that it can have; empty means the one under [queue]"))
    })?;
    Ok(Some(number))
}

fn optional_address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let address = text.parse().map_err(|_| {
        D::Error::custom(format!("`{text}` is no address and port. Write e.g. 127.0.0.1:7102"))
    })?;
    Ok(Some(address))
}

pub(super) fn optional_url<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let url =
        Url::parse(&text).map_err(|error| D::Error::custom(format!("`{text}` is no address: {error}")))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(Some(url))
    } else {
        Err(D::Error::custom(format!("`{text}` must begin with http:// or https://")))
    }
}

fn optional_path<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(value)?;
    Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
}

fn key_prefix<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let prefix = String::deserialize(value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !prefix.is_empty() && prefix.chars().all(fits) {
        Ok(prefix)
    } else {
        Err(D::Error::custom(format!("`{prefix}` must be made of letters, digits, `-`, `_` and `.`")))
    }
}

fn seconds<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    NonZeroU64::deserialize(value).map(|seconds| Duration::from_secs(seconds.get()))
}

fn seconds_or_none<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    u32::deserialize(value).map(|seconds| Duration::from_secs(seconds.into()))
}

fn days<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let days = u32::deserialize(value)?;
    Ok((days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3600)))
}

fn hours<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    NonZeroU32::deserialize(value).map(|hours| Duration::from_secs(u64::from(hours.get()) * 3600))
}

fn secret_key<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    let key = SecretString::deserialize(value)?;
    if key.expose_secret().trim().is_empty() || Seal::from_text(key.expose_secret()).is_some() {
        Ok(key)
    } else {
        Err(D::Error::custom("it must be 32 bytes in hexadecimal. `openssl rand -hex 32` makes one"))
    }
}

fn database_url<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    let url = SecretString::deserialize(value)?;
    let is_fit = url.expose_secret().is_empty() || PgConnectOptions::from_str(url.expose_secret()).is_ok();
    // What is wrong with it is not repeated: there may be a password in it.
    let wrong = "it must be an address such as postgres://user:password@host:5432/database";
    is_fit.then_some(url).ok_or_else(|| D::Error::custom(wrong))
}

fn redis_url<'de, D: Deserializer<'de>>(value: D) -> Result<SecretString, D::Error> {
    let url = SecretString::deserialize(value)?;
    let is_fit = url.expose_secret().is_empty() || queue::is_address(url.expose_secret());
    let wrong =
        "it must be an address such as redis://:password@host:6379; Leptos.toml lists its other forms";
    is_fit.then_some(url).ok_or_else(|| D::Error::custom(wrong))
}

fn attempts<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let attempts = u32::deserialize(value)?;
    if (1..=MOST_ATTEMPTS).contains(&attempts) {
        Ok(attempts)
    } else {
        Err(D::Error::custom(format!("{attempts} must lie between 1 and {MOST_ATTEMPTS}")))
    }
}

fn log_filter<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let level = String::deserialize(value)?;
    match EnvFilter::try_new(&level) {
        Ok(_) => Ok(level),
        Err(_) => {
            Err(D::Error::custom(format!("`{level}` says no level. Write e.g. info or info,millrace=debug")))
        }
    }
}

fn line_bytes<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(value)?;
    if (80..=1 << 20).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(D::Error::custom(format!("{bytes} must lie between 80 and 1048576")))
    }
}
