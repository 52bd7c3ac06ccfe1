//! Signing in with GitHub: where to send a browser, and what to make of the code that it brings back (RFC 6749, PKCE).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::{Client, GitHub, GitHubError};
use crate::config::Member;

/// What Millrace is to GitHub when somebody signs in.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    pub id: String,
    pub secret: SecretString,
}

/// Why a code was not exchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The code is wrong, was used, or belongs to another browser; in GitHub's words.
    #[error("GitHub does not accept the code: {0}")]
    Refused(String),
    #[error("{0}")]
    GitHub(#[from] GitHubError),
}

/// Errors come with status 200 too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Token { access_token: SecretString },
    Refused { error: String },
}

/// Somebody's GitHub account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitHubAccount {
    pub id: i64,
    pub login: String,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

impl GitHub {
    /// Where a browser is sent. `verifier` stays here; its hash goes along.
    pub fn authorize_address(
        &self,
        client: &OAuthClient,
        redirect: &str,
        state: &SecretString,
        verifier: &SecretString,
        scope: &str,
    ) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
        let mut address = self.web().clone();
        address.set_path(&format!("{}/login/oauth/authorize", self.web().path().trim_end_matches('/')));
        address.query_pairs_mut().extend_pairs([
            ("client_id", client.id.as_str()),
            ("redirect_uri", redirect),
            ("state", state.expose_secret()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("scope", scope),
        ]);
        address
    }

    /// The code in exchange for a token of whoever brought it.
    pub async fn exchange(
        &self,
        client: &OAuthClient,
        redirect: &str,
        code: &SecretString,
        verifier: &SecretString,
    ) -> Result<SecretString, ExchangeError> {
        let address = format!("{}/login/oauth/access_token", self.web().as_str().trim_end_matches('/'));
        let fields = [
            ("client_id", client.id.as_str()),
            ("client_secret", client.secret.expose_secret()),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier.expose_secret()),
        ];
        let request = self.http().post(address).header(header::ACCEPT, "application/json").form(&fields);
        match self.answer(request).await? {
            Answer::Token { access_token } => Ok(access_token),
            Answer::Refused { error } => Err(ExchangeError::Refused(error)),
        }
    }
}

/// In the name of somebody who signs in.
impl Client {
    pub async fn account(&self) -> Result<GitHubAccount, GitHubError> {
        self.get("/user").await
    }

    /// Whether this is their account, or they belong to what it names.
    pub async fn is_member(&self, account: &GitHubAccount, member: &Member) -> Result<bool, GitHubError> {
        let path = match member {
            Member::Login(login) => return Ok(login.eq_ignore_ascii_case(&account.login)),
            Member::Organisation(name) => format!("/user/memberships/orgs/{name}"),
            Member::Team { organisation, slug } => {
                format!("/orgs/{organisation}/teams/{slug}/memberships/{}", account.login)
            }
        };
        match self.get::<Membership>(&path).await {
            // An invitation that was not accepted yet is `pending`.
            Ok(membership) => Ok(membership.state == "active"),
            Err(GitHubError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_stays_and_its_hash_goes_along() {
        crate::tls::install();
        let github = GitHub::new(&Url::parse("https://github.example.com").unwrap(), None).unwrap();
        let client = OAuthClient { id: "Iv1.x".to_owned(), secret: "hush".into() };
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into();
        let address = github.authorize_address(
            &client,
            "https://millrace.example.com/auth/github/callback",
            &"state".into(),
            &verifier,
            "read:org",
        );
        assert!(
            address.as_str().starts_with("https://github.example.com/login/oauth/authorize?client_id=Iv1.x&")
        );
        let challenge = address.query_pairs().find(|(name, _)| name == "code_challenge").unwrap().1;
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(!address.as_str().contains("hush") && !address.as_str().contains("dBjftJ"));
    }
}
