//! Connecting: the form that makes the App at GitHub, what comes back, and forgetting it again.

use app::model::{AppForm, GitHubApp, GitHubConnection};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::{Connection, ConnectionError, app::Secrets};
use crate::{
    db::{
        github_app::{self, AppRow},
        installations,
    },
    github::{
        AppKey, GitHubError, RepositoryName,
        manifest::{Conversion, Manifest},
    },
};

/// Why Millrace was not connected. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The code is wrong, too old, or was used.
    #[error("GitHub does not know the code that the browser brought back")]
    Code,
    #[error("GitHub's answer about the App lacks something, or is wrong")]
    Incomplete,
    #[error("There is an App already")]
    Connected,
    #[error("{0}")]
    Connection(#[from] ConnectionError),
}

impl From<GitHubError> for ConnectError {
    fn from(error: GitHubError) -> Self {
        match error {
            GitHubError::NotFound | GitHubError::Invalid(_) => Self::Code,
            GitHubError::Unexpected(_) => Self::Incomplete,
            error => Self::Connection(error.into()),
        }
    }
}

impl Connection {
    /// How Millrace is connected, for owners.
    pub async fn standing(&self) -> Result<GitHubConnection, ConnectionError> {
        let app = self.app().await?;
        Ok(GitHubConnection {
            url: self.web_address().to_owned(),
            app: app.map(|app| GitHubApp { name: app.name.clone(), address: app.html_url.clone() }),
            has_token: self.given_token().is_some(),
            installations: installations::list(&self.0.db).await?,
        })
    }

    /// The form that makes an App for the account of whoever posts it, or for an organisation.
    pub fn app_form(
        &self,
        public_address: &str,
        organisation: Option<&str>,
        state: &SecretString,
    ) -> AppForm {
        let manifest = Manifest::new(public_address);
        let place = organisation.map_or_else(String::new, |name| format!("/organizations/{name}"));
        AppForm {
            action: format!(
                "{}{place}/settings/apps/new?state={}",
                self.web_address(),
                state.expose_secret()
            ),
            manifest: serde_json::to_string(&manifest).unwrap_or_default(),
            is_unreachable: is_local(public_address) && !is_local(self.web_address()),
            name: manifest.name,
        }
    }

    /// Exchanges the code that the browser brought back for the App, and keeps it.
    pub async fn connect(&self, code: &str) -> Result<GitHubApp, ConnectError> {
        let made = self.0.github.anonymous().convert_manifest(code).await?;
        let (id, slug) = (made.id, made.slug.clone());
        let row = self.checked(made)?;
        let app = GitHubApp { name: row.name.clone(), address: row.html_url.clone() };
        if !github_app::insert(&self.0.db, &row).await.map_err(ConnectionError::from)? {
            return Err(ConnectError::Connected);
        }
        self.forget_kept_app();
        tracing::info!(app.id = id, app.slug = slug, "connected to GitHub");
        Ok(app)
    }

    /// What came over the network is believed only where it makes an App that works.
    fn checked(&self, made: Conversion) -> Result<AppRow, ConnectError> {
        let secrets = Secrets {
            private_key: made.pem,
            webhook_secret: made.webhook_secret,
            client_secret: made.client_secret,
        };
        let is_slug = format!("x/{}", made.slug).parse::<RepositoryName>().is_ok();
        let is_at_home =
            Url::parse(&made.html_url).is_ok_and(|url| url.origin() == self.0.github.web().origin());
        let is_whole = [&secrets.webhook_secret, &secrets.client_secret]
            .iter()
            .all(|secret| !secret.expose_secret().is_empty());
        let has_key = AppKey::from_pem(made.id, &secrets.private_key).is_ok();
        if made.id <= 0 || made.client_id.is_empty() || !(is_slug && is_at_home && is_whole && has_key) {
            return Err(ConnectError::Incomplete);
        }
        Ok(AppRow {
            url: self.web_address().to_owned(),
            app_id: made.id,
            slug: made.slug,
            name: made.name,
            html_url: made.html_url.trim_end_matches('/').to_owned(),
            client_id: made.client_id,
            sealed: secrets.seal(&self.0.seal, made.id).map_err(ConnectionError::from)?,
        })
    }

    /// Forgets the App. GitHub still has it.
    pub async fn disconnect(&self) -> Result<(), ConnectionError> {
        github_app::delete(&self.0.db).await?;
        self.forget_kept_app();
        tracing::info!("disconnected from GitHub");
        Ok(())
    }

    pub(crate) async fn is_connected(&self) -> Result<bool, ConnectionError> {
        Ok(self.app().await?.is_some())
    }
}

/// Whether nobody outside of this machine finds it.
fn is_local(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        None => false,
    }
}
