//! How this installation is connected to GitHub, and in whose name it asks there: as a GitHub App, or with a token from the
//! settings.

mod app;
mod connect;
mod installations;
mod permissions;
mod tokens;

use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::sync::OnceCell;

pub use self::connect::ConnectError;
use self::{
    app::{App, KeptApp},
    permissions::Permissions,
};
use crate::{
    config::{Config, GitHubConfig},
    github::{Client, GitHub, GitHubError, KeyError, OAuthClient, Refused, RepositoryName},
    queue::Queue,
    seal::{Seal, SealError},
};

/// What a token is for: it may do that and nothing more, in one repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Find out who asks and what about: contents, issues, pull requests, checks and metadata, to read.
    Read,
    /// Tell what became of it: issues, pull requests and checks.
    Answer,
    /// Fetch the repository.
    Fetch,
    /// Push a branch.
    Push,
}

/// Whose rate limit the token from the settings has.
const GIVEN: &str = "token";

/// A token, and whose rate limit it has.
struct Granted {
    token: SecretString,
    to: String,
    refused: Refused,
}

/// Why GitHub could not be asked. Many who wait for the same answer get the same error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("Millrace is not connected to GitHub. An owner can do that on the settings page")]
    NotConnected,
    #[error("Millrace's GitHub App is not installed for {0}. Install it there on the settings page")]
    NotInstalled(RepositoryName),
    #[error("{0}")]
    GitHub(#[from] GitHubError),
    #[error("The database failed: {0}")]
    Database(Arc<sqlx::Error>),
    #[error("What is known of the GitHub App cannot be read: {0}")]
    Seal(#[from] SealError),
    #[error(
        "What is known of the GitHub App is broken: {0}. Disconnect it on the settings page, and connect again"
    )]
    Key(#[from] KeyError),
}

impl From<sqlx::Error> for ConnectionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Cloning is cheap.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    db: PgPool,
    seal: Seal,
    github: GitHub,
    config: GitHubConfig,
    app: Mutex<Option<KeptApp>>,
    /// Whose the token from the settings is.
    token_login: OnceCell<String>,
    permissions: Permissions,
}

impl Connection {
    pub fn new(config: &Config, db: PgPool, queue: &Queue) -> anyhow::Result<Self> {
        let github = GitHub::new(&config.github.url, Some(queue.clone()))?;
        let seal = Seal::open(&config.server)?;
        let config = config.github.clone();
        let (app, token_login, permissions) = (Mutex::default(), OnceCell::new(), Permissions::default());
        Ok(Self(Arc::new(Inner { db, seal, github, config, app, token_login, permissions })))
    }

    pub fn github(&self) -> &GitHub {
        &self.0.github
    }

    /// Encrypts what is kept on somebody's way to GitHub and back.
    pub fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// The repository behind an address to clone from, where it is one of this GitHub.
    pub fn repository_at(&self, address: &str) -> Option<RepositoryName> {
        RepositoryName::of_address(address, self.0.github.web())
    }

    /// The address by which jobs name a repository.
    pub fn address_of(&self, repository: &RepositoryName) -> String {
        repository.clone_address(self.0.github.web())
    }

    /// Whoever may do what `purpose` says in this repository.
    pub async fn client(
        &self,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<Client, ConnectionError> {
        let Granted { token, to, refused } = self.granted(repository, purpose).await?;
        let client = self.0.github.with_token(token, format!("{repository} {purpose:?}"));
        Ok(client.sharing_limits_of(to).noting_refusals(refused))
    }

    /// A token for git over HTTPS, whose user is `x-access-token`, and where to note that it was refused.
    pub async fn token(
        &self,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<(SecretString, Refused), ConnectionError> {
        self.granted(repository, purpose).await.map(|granted| (granted.token, granted.refused))
    }

    async fn granted(
        &self,
        repository: &RepositoryName,
        purpose: Purpose,
    ) -> Result<Granted, ConnectionError> {
        match self.app().await? {
            Some(app) => self.installation_token(&app, repository, purpose).await,
            None => {
                let token = self.given_token().ok_or(ConnectionError::NotConnected)?;
                Ok(Granted { token, to: GIVEN.to_owned(), refused: Refused::default() })
            }
        }
    }

    /// In the name of the App itself, where there is one.
    pub async fn as_app(&self) -> Result<Option<Client>, ConnectionError> {
        self.app().await?.map(|app| self.client_of(&app)).transpose()
    }

    /// With the token from the settings, where there is one.
    pub fn with_given_token(&self) -> Option<Client> {
        let token = self.given_token()?;
        Some(self.0.github.with_token(token, "given token").sharing_limits_of(GIVEN))
    }

    fn client_of(&self, app: &App) -> Result<Client, ConnectionError> {
        let token = app.key.token(chrono::Utc::now())?;
        Ok(self.0.github.with_token(token, format!("app {}", app.id)))
    }

    /// Those with which a webhook may be signed.
    pub async fn webhook_secrets(&self) -> Result<Vec<SecretString>, ConnectionError> {
        let of_app = self.app().await?.map(|app| app.secrets.webhook_secret.clone());
        Ok(of_app.into_iter().chain(not_empty(&self.0.config.webhook_secret)).collect())
    }

    /// The login under which Millrace writes there: `slug[bot]` of an App, or that of the token's owner.
    pub async fn own_login(&self) -> Result<String, ConnectionError> {
        if let Some(app) = self.app().await? {
            return Ok(format!("{}[bot]", app.slug));
        }
        let client = self.with_given_token().ok_or(ConnectionError::NotConnected)?;
        let login = self.0.token_login.get_or_try_init(async || Ok(client.account().await?.login));
        login.await.cloned().map_err(|error: GitHubError| error.into())
    }

    /// With what people sign in: as the App, or the one from the settings.
    pub async fn oauth_client(&self) -> Result<Option<OAuthClient>, ConnectionError> {
        if let Some(app) = self.app().await? {
            let secret = app.secrets.client_secret.clone();
            return Ok(Some(OAuthClient { id: app.client_id.clone(), secret }));
        }
        let (id, secret) = (&self.0.config.client_id, &self.0.config.client_secret);
        Ok((!id.is_empty()).then(|| OAuthClient { id: id.clone(), secret: secret.clone() }))
    }

    fn given_token(&self) -> Option<SecretString> {
        not_empty(&self.0.config.token)
    }
}

fn not_empty(secret: &SecretString) -> Option<SecretString> {
    (!secret.expose_secret().is_empty()).then(|| secret.clone())
}
