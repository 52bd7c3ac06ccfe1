//! The section `[github]`: where GitHub is, who may come from there, and what is answered.

use std::{fmt, num::NonZeroU32, str::FromStr};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

#[derive(Clone, Debug, Deserialize)]
pub struct GitHubConfig {
    #[serde(deserialize_with = "web_address")]
    pub url: Url,
    pub members: Vec<Member>,
    #[serde(deserialize_with = "handle")]
    pub mention: String,
    pub label: String,
    pub bots: Vec<String>,
    pub pull_request: PullRequestState,
    pub forks: Forks,
    pub jobs_per_thread_per_hour: NonZeroU32,
    pub check_rounds: u32,
    pub token: SecretString,
    pub webhook_secret: SecretString,
    pub client_id: String,
    pub client_secret: SecretString,
}

/// Who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Member {
    Login(String),
    Organisation(String),
    Team { organisation: String, slug: String },
}

impl FromStr for Member {
    type Err = String;

    /// `ada`, `org:acme`, `team:acme/builders`
    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let member = match text.split_once(':') {
            None => is_name(text).then(|| Self::Login(text.to_owned())),
            Some(("org", name)) => is_name(name).then(|| Self::Organisation(name.to_owned())),
            Some(("team", name)) => name
                .split_once('/')
                .filter(|(organisation, slug)| is_name(organisation) && is_name(slug))
                .map(|(organisation, slug)| Self::Team {
                    organisation: organisation.to_owned(),
                    slug: slug.to_owned(),
                }),
            Some(_) => None,
        };
        member.ok_or_else(|| {
            format!("`{text}` is neither a login nor of the form `org:NAME` or `team:ORGANISATION/NAME`")
        })
    }
}

impl TryFrom<String> for Member {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(login) => f.write_str(login),
            Self::Organisation(name) => write!(f, "org:{name}"),
            Self::Team { organisation, slug } => write!(f, "team:{organisation}/{slug}"),
        }
    }
}

/// How pull requests are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestState {
    Ready,
    Draft,
}

/// What is done with pull requests from forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forks {
    Refuse,
    /// What is made of them is shown, and goes nowhere.
    Run,
    /// What is made of them goes to their branch, where their author lets maintainers push to it.
    Push,
}

fn web_address<'de, D: Deserializer<'de>>(value: D) -> Result<Url, D::Error> {
    super::sections::optional_url(value)?.ok_or_else(|| D::Error::custom("an address is needed"))
}

fn handle<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let name = String::deserialize(value)?;
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits {
        Ok(name)
    } else {
        Err(D::Error::custom(format!("`{name}` must be made of letters, digits and `-`, without the @")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_logins_organisations_and_teams() {
        for text in ["ada", "org:acme", "team:acme/builders"] {
            assert_eq!(text.parse::<Member>().unwrap().to_string(), text);
        }
        for wrong in ["", "@ada", "org:", "team:acme", "team:acme/", "user:ada", "a b"] {
            assert!(wrong.parse::<Member>().is_err(), "{wrong}");
        }
    }
}
