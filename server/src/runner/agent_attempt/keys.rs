//! The keys of an agent's provider, which stay with the runner: what the agent gets in their place is worth nothing elsewhere.

use std::collections::BTreeMap;

use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::super::{
    agents::Profile,
    sandbox::{KeptKey, Provider},
};
use crate::secret;

/// Keys that an agent does not get.
pub(super) struct KeptKeys {
    provider: Url,
    /// The provider's address as the agent is told.
    pub base_url: String,
    keys: BTreeMap<&'static str, KeptKey>,
}

impl KeptKeys {
    /// `None` where there is nothing to keep, or where the agent signs in with something that cannot be put in for it, such as
    /// an access token of Codex. `proxy` is where the agent is to ask.
    pub(super) fn of(
        profile: &Profile,
        proxy: Option<String>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, getrandom::Error> {
        let (Some(of), Some(proxy)) = (&profile.key, proxy) else { return Ok(None) };
        let mut keys = BTreeMap::new();
        for name in profile.credentials.iter().copied() {
            // A line's end comes along easily, and is in no header.
            let Some(key) = variable(name).map(|key| SecretString::from(key.trim())) else { continue };
            if !of.variables.contains(&name) {
                return Ok(None);
            }
            let stand_in = secret::generate("stand-in-")?.expose_secret().to_owned();
            keys.insert(name, KeptKey { stand_in, key });
        }
        let base_url = format!("{proxy}{}", of.provider.path().trim_end_matches('/'));
        Ok((!keys.is_empty()).then(|| Self { provider: of.provider.clone(), base_url, keys }))
    }

    /// What the agent gets for a key in this variable.
    pub(super) fn stand_in(&self, variable: &str) -> Option<String> {
        self.keys.get(variable).map(|key| key.stand_in.clone())
    }

    /// Who answers the agent.
    pub(super) fn provider(&self, client: &Client) -> Provider {
        Provider::new(client.clone(), self.provider.clone(), self.keys.values().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Overrides, load},
        runner::agents,
    };

    fn kept(agent: &str, settings: &[(&str, &str)], set: &[&str]) -> Option<KeptKeys> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = load(None, settings, &Overrides::default()).unwrap();
        let profile = agents::find(agent, &config.agents).unwrap().profile();
        let variable = |name: &str| set.contains(&name).then(|| format!("value of {name}\n"));
        KeptKeys::of(&profile, Some("http://proxy".to_owned()), &variable).unwrap()
    }

    #[test]
    fn a_key_has_a_stand_in_of_its_own_for_each_attempt() {
        let (first, second) =
            (kept("claude", &[], &["ANTHROPIC_API_KEY"]), kept("claude", &[], &["ANTHROPIC_API_KEY"]));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.base_url, "http://proxy");
        let stand_in = first.stand_in("ANTHROPIC_API_KEY").unwrap();
        assert!(stand_in.len() > 20 && !stand_in.contains("value of"));
        assert_ne!(Some(stand_in), second.stand_in("ANTHROPIC_API_KEY"));
        assert_eq!(first.stand_in("PATH"), None);
        assert_eq!(first.keys["ANTHROPIC_API_KEY"].key.expose_secret(), "value of ANTHROPIC_API_KEY");
    }

    #[test]
    fn the_address_keeps_its_path() {
        let kept = kept(
            "codex",
            &[("MILLRACE_AGENTS__CODEX__BASE_URL", "https://models.example/of/us/")],
            &["OPENAI_API_KEY"],
        );
        assert_eq!(kept.unwrap().base_url, "http://proxy/of/us");
    }

    #[test]
    fn what_goes_to_several_providers_or_is_no_key_is_not_kept() {
        assert!(kept("claude", &[], &[]).is_none());
        assert!(kept("codex", &[], &["CODEX_API_KEY", "CODEX_ACCESS_TOKEN"]).is_none());
        assert!(kept("aider", &[], &["OPENAI_API_KEY"]).is_none());
        let own = [("MILLRACE_AGENTS__AIDER__BASE_URL", "https://models.example")];
        assert!(kept("aider", &own, &["OPENAI_API_KEY"]).is_some());
        let of_another = kept("aider", &own, &["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]).unwrap();
        assert_eq!(of_another.stand_in("ANTHROPIC_API_KEY"), None);
    }
}
