//! The section `[sandbox]`: what agents may see, reach and use up.

use std::{collections::BTreeMap, fmt, num::NonZeroU64, path::PathBuf, str::FromStr};

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub struct SandboxConfig {
    pub mode: SandboxMode,
    pub keys: KeysPlace,
    pub allow: Vec<HostPattern>,
    pub allow_private: Vec<Endpoint>,
    pub read_only: Vec<PathBuf>,
    pub memory_bytes: NonZeroU64,
    pub processes: NonZeroU64,
    pub file_bytes: NonZeroU64,
    pub disk_bytes: NonZeroU64,
    pub cpu_seconds: NonZeroU64,
    /// Empty where Millrace is to find one.
    pub cgroup: String,
    /// By the repository's address, or by what it begins with and a `*`.
    pub repositories: BTreeMap<String, Vec<HostPattern>>,
}

impl SandboxConfig {
    /// Hosts that an agent may reach beside all the others because it works in this repository.
    pub fn allowed_for(&self, repository: &str) -> impl Iterator<Item = &HostPattern> {
        let is_meant = move |name: &str| match name.strip_suffix('*') {
            Some(beginning) => repository.starts_with(beginning),
            None => plain(repository) == plain(name),
        };
        self.repositories.iter().filter(move |(name, _)| is_meant(name)).flat_map(|(_, hosts)| hosts)
    }
}

/// An address without what may be left out at its end.
fn plain(address: &str) -> &str {
    let address = address.trim_end_matches('/');
    address.strip_suffix(".git").unwrap_or(address)
}

/// Where the keys of providers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysPlace {
    /// With the runner, where an agent can do without them.
    Outside,
    /// With the agent.
    Inside,
}

/// What happens where the sandbox does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxMode {
    /// Nothing runs without it.
    Require,
    /// It is used where it works.
    Auto,
    /// It is not used.
    Off,
}

/// Hosts that may be reached: `example.org`, `*.example.org` for all below it, `*` for all; with a port, or else with
/// those of HTTP and HTTPS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPattern {
    host: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// With the dot in front.
    Below(String),
    One(String),
}

impl HostPattern {
    const USUAL_PORTS: [u16; 2] = [80, 443];

    pub fn matches(&self, wanted: &Endpoint) -> bool {
        let host = match &self.host {
            Hosts::All => true,
            Hosts::Below(suffix) => wanted.host.ends_with(suffix),
            Hosts::One(host) => *host == wanted.host,
        };
        let port = match self.port {
            Some(port) => port == wanted.port,
            None => Self::USUAL_PORTS.contains(&wanted.port),
        };
        host && port
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no host. Write e.g. example.com, *.example.com or example.com:8443");
        let (host, port) = split_port(text).ok_or_else(wrong)?;
        let host = match host.strip_prefix('*') {
            Some("") => Hosts::All,
            Some(suffix) => {
                let below = suffix.strip_prefix('.').and_then(host_name).ok_or_else(wrong)?;
                Hosts::Below(format!(".{below}"))
            }
            None => Hosts::One(host_name(host).ok_or_else(wrong)?),
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A host and a port, as somebody named it: `127.0.0.1:8135`, `[::1]:80`, `example.com:443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint {
    /// In lower case, without a dot at its end and without brackets.
    host: String,
    port: u16,
}

impl Endpoint {
    /// Nothing where this cannot be a host.
    pub fn new(host: &str, port: u16) -> Option<Self> {
        Some(Self { host: host_name(host)?, port })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match split_port(text) {
            Some((host, Some(port))) => Self::new(host, port),
            _ => None,
        }
        .ok_or_else(|| format!("`{text}` is no host with a port. Write e.g. 127.0.0.1:11434"))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The host, and the port where there is one. An IPv6 address wears brackets, so its colons are not taken for a port's.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((text, None)),
    }
}

fn host_name(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[') {
        let address: std::net::Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string());
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    (!name.is_empty() && name.len() <= 253 && name.chars().all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, endpoint: &str) -> bool {
        let pattern: HostPattern = pattern.parse().unwrap();
        pattern.matches(&endpoint.parse().unwrap())
    }

    #[test]
    fn a_host_is_that_host_on_the_usual_ports() {
        assert!(matches("pypi.org", "pypi.org:443"));
        assert!(matches("pypi.org", "PyPI.org.:80"));
        assert!(!matches("pypi.org", "pypi.org:22"));
        assert!(!matches("pypi.org", "evil-pypi.org:443"));
        assert!(!matches("pypi.org", "pypi.org.evil.com:443"));
    }

    #[test]
    fn a_star_is_every_host_below_but_not_the_name_itself() {
        assert!(matches("*.npmjs.org", "a.npmjs.org:443"));
        assert!(matches("*.npmjs.org", "a.b.npmjs.org:443"));
        assert!(!matches("*.npmjs.org", "npmjs.org:443"));
        assert!(!matches("*.npmjs.org", "evilnpmjs.org:443"));
        assert!(matches("*", "anything.example:443"));
    }

    #[test]
    fn a_named_port_is_that_port_alone() {
        assert!(matches("[::1]:8135", "[0::1]:8135"));
        assert!(matches("127.0.0.1:8135", "127.0.0.1:8135"));
        assert!(!matches("example.com:8443", "example.com:443"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "*npmjs.org", "a.*.org", "http://x", "x:y", "x:70000", "[::1", "a b", "*."] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        for text in ["host", "host:", ":1", "::1"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_repository_has_hosts_of_its_own() {
        let hosts = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let config = SandboxConfig {
            repositories: BTreeMap::from([
                ("https://github.com/acme/*".to_owned(), hosts(&["npm.acme.example"])),
                ("https://github.com/acme/shop".to_owned(), hosts(&["pay.example:8443"])),
            ]),
            ..crate::config::load(None, [], &crate::config::Overrides::default()).unwrap().sandbox
        };
        let allowed = |repository: &str| config.allowed_for(repository).count();
        assert_eq!(allowed("https://github.com/acme/shop.git"), 2);
        assert_eq!(allowed("https://github.com/acme/other"), 1);
        assert_eq!(allowed("https://github.com/acme-evil/shop"), 0);
        assert_eq!(allowed("https://github.com/other/acme/shop"), 0);
    }
}
