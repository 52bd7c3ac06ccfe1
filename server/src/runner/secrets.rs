//! What a runner knows that may be in no line: the settings' secrets, and the agents' credentials in its environment.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::agents;
use crate::config::Config;

/// Scripts run with the rights of the runner, so that they can come across any of these. `variable` looks up what is in
/// the runner's environment.
pub(super) fn known(config: &Config, variable: impl Fn(&str) -> Option<String>) -> Vec<SecretString> {
    let github = &config.github;
    let settings = [&config.server.secret_key, &github.token, &github.webhook_secret, &github.client_secret];
    let addresses = [&config.database.url, &config.redis.url];
    let passwords = addresses.into_iter().filter_map(|address| {
        let address = Url::parse(address.expose_secret()).ok()?;
        address.password().map(|password| SecretString::from(password.to_owned()))
    });
    // Several agents know the same ones.
    let names: BTreeSet<&str> =
        agents::all(&config.agents).iter().flat_map(|agent| agent.profile().credentials).copied().collect();
    let credentials = names.into_iter().filter_map(|name| variable(name).map(SecretString::from));
    settings.into_iter().cloned().chain(passwords).chain(credentials).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};

    #[test]
    fn passwords_tokens_and_keys_are_known_and_addresses_are_not() {
        let settings = [
            ("MILLRACE_DATABASE__URL", "postgres://mill:the-password@db.example/mill"),
            ("MILLRACE_GITHUB__TOKEN", "the-token"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = load(None, settings, &Overrides::default()).unwrap();
        let known = known(&config, |name| (name == "ANTHROPIC_API_KEY").then(|| "the-key".to_owned()));
        let known: Vec<&str> =
            known.iter().map(|secret| secret.expose_secret()).filter(|secret| !secret.is_empty()).collect();
        assert_eq!(known, ["the-token", "the-password", "the-key"]);
    }
}
