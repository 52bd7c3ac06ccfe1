//! The name of a repository: `owner/name`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

/// `owner/name`, of characters that GitHub allows: it can stand in any address as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RepositoryName(String);

impl RepositoryName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The repository behind an address to clone it from, where it is one of the GitHub at `web`.
    pub fn of_address(address: &str, web: &Url) -> Option<Self> {
        let path = match Url::parse(address) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {
                let same_port = url.port_or_known_default() == web.port_or_known_default();
                (url.host_str() == web.host_str() && same_port).then(|| url.path().to_owned())?
            }
            Ok(url) if url.scheme() == "ssh" => {
                (url.host_str() == web.host_str()).then(|| url.path().to_owned())?
            }
            // git@host:owner/name.git
            _ => {
                let (host, path) = address.split_once(':')?;
                let host = host.rsplit('@').next()?;
                (Some(host) == web.host_str()).then(|| path.to_owned())?
            }
        };
        let path = path.strip_prefix(web.path()).unwrap_or(&path);
        let path = path.trim_matches('/');
        path.strip_suffix(".git").unwrap_or(path).parse().ok()
    }

    /// The address to clone it from.
    pub fn clone_address(&self, web: &Url) -> String {
        format!("{}/{}.git", web.as_str().trim_end_matches('/'), self.0)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |part: &str| {
            (1..=100).contains(&part.len())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                && !matches!(part, "." | "..")
        };
        match text.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => Ok(Self(text.to_owned())),
            _ => Err(format!("`{text}` is not of the form owner/name")),
        }
    }
}

impl<'de> Deserialize<'de> for RepositoryName {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_behind_its_addresses() {
        let web = Url::parse("https://github.com").unwrap();
        for address in [
            "https://github.com/ada/orchard",
            "https://github.com/ada/orchard.git",
            "https://github.com/ada/orchard/",
            "git@github.com:ada/orchard.git",
            "ssh://git@github.com/ada/orchard.git",
        ] {
            let found = RepositoryName::of_address(address, &web);
            assert_eq!(found.map(|name| name.to_string()).as_deref(), Some("ada/orchard"), "{address}");
        }
        for other in ["https://example.com/ada/orchard", "/srv/orchard", "https://github.com/ada", "orchard"]
        {
            assert_eq!(RepositoryName::of_address(other, &web), None, "{other}");
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for wrong in [
            "",
            "ada",
            "ada/",
            "/orchard",
            "ada/../x",
            "ada/..",
            "ada/or chard",
            "a/b/c",
            "ada/x?y",
            "ada/%2e",
        ] {
            assert!(wrong.parse::<RepositoryName>().is_err(), "{wrong}");
        }
    }
}
