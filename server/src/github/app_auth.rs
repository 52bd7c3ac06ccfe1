//! A GitHub App proves who it is with a token that it signs itself; with that it asks for tokens of its installations.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Client, GitHubError, RepositoryName};

/// GitHub accepts ten minutes at most. A clock that is behind GitHub's would give tokens of the future, one that is ahead
/// such that are good for too long: so it begins a minute ago.
const BEGAN: TimeDelta = TimeDelta::seconds(60);
const GOOD_FOR: TimeDelta = TimeDelta::minutes(9);

/// An App's private key.
pub struct AppKey {
    app_id: i64,
    key: KeyPair,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the App's private key is not an RSA key in PEM format")]
    Unreadable,
    #[error("the App's private key could not sign")]
    Unfit,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

impl AppKey {
    /// GitHub gives PKCS#1; PKCS#8 is read too.
    pub fn from_pem(app_id: i64, pem: &SecretString) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
            .map_err(|_| KeyError::Unreadable)?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(KeyError::Unreadable),
        };
        Ok(Self { app_id, key: key.map_err(|_| KeyError::Unreadable)? })
    }

    /// A token with which the App asks in its own name (RS256).
    pub fn token(&self, now: DateTime<Utc>) -> Result<SecretString, KeyError> {
        let claims = Claims {
            iat: (now - BEGAN).timestamp(),
            exp: (now + GOOD_FOR).timestamp(),
            iss: self.app_id.to_string(),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| KeyError::Unfit)?;
        let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Unfit)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

/// What a token may do, by GitHub's names: `contents` → `read`.
pub type Permissions = BTreeMap<&'static str, &'static str>;

/// A token of an installation.
#[derive(Clone, Debug, Deserialize)]
pub struct InstallationToken {
    pub token: SecretString,
    pub expires_at: DateTime<Utc>,
}

/// An installation of the App.
#[derive(Clone, Debug, Deserialize)]
pub struct AppInstallation {
    pub id: i64,
    pub account: Owner,
    pub html_url: String,
    #[serde(default)]
    pub permissions: BTreeMap<String, String>,
    pub suspended_at: Option<DateTime<Utc>>,
}

impl AppInstallation {
    pub fn writes_workflows(&self) -> bool {
        self.permissions.get("workflows").is_some_and(|level| level == "write")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Owner {
    pub login: String,
}

/// A repository that an installation may see.
#[derive(Clone, Debug, Deserialize)]
pub struct InstalledRepository {
    pub id: i64,
    pub full_name: String,
    pub private: bool,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<[&'a str; 1]>,
    permissions: &'a Permissions,
}

#[derive(Deserialize)]
struct RepositoryPage {
    total_count: u64,
    repositories: Vec<InstalledRepository>,
}

/// In the App's own name.
impl Client {
    pub async fn installations(&self) -> Result<Vec<AppInstallation>, GitHubError> {
        self.get_all("/app/installations").await
    }

    pub async fn installation_of(&self, repository: &RepositoryName) -> Result<AppInstallation, GitHubError> {
        self.get(&format!("/repos/{repository}/installation")).await
    }

    /// A token for one repository, or for all of the installation, that may do this and nothing more.
    pub async fn installation_token(
        &self,
        installation: i64,
        repository: Option<&RepositoryName>,
        permissions: &Permissions,
    ) -> Result<InstallationToken, GitHubError> {
        let request = TokenRequest { repositories: repository.map(|name| [name.name()]), permissions };
        self.post(&format!("/app/installations/{installation}/access_tokens"), &request).await
    }
}

/// In an installation's name.
impl Client {
    /// What the installation may see, up to a bound.
    pub async fn installed_repositories(&self) -> Result<Vec<InstalledRepository>, GitHubError> {
        const PAGES: u32 = 20;
        let mut all: Vec<InstalledRepository> = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/installation/repositories?per_page=100&page={page}");
            let RepositoryPage { total_count, repositories } = self.get(&path).await?;
            let is_empty = repositories.is_empty();
            all.extend(repositories);
            if is_empty || u64::try_from(all.len()).is_ok_and(|count| count >= total_count) {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use millrace_fake_github::APP_PRIVATE_KEY;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_token_is_signed_and_good_for_ten_minutes_at_most() {
        let key = AppKey::from_pem(12, &APP_PRIVATE_KEY.into()).unwrap();
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();

        let token = key.token(now).unwrap();

        let (signed, signature) = token.expose_secret().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.key.public().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iss"], "12");
        assert_eq!(claims["iat"], 1_000_000 - 60);
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 600);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"]
        {
            assert_eq!(AppKey::from_pem(1, &wrong.into()).err(), Some(KeyError::Unreadable));
        }
    }
}
