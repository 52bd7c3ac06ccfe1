//! How this installation is connected to GitHub, and in whose name it asks there: as a GitHub App, or with a token from the
//! settings.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use crate::{
    config::{Config, GitHubConfig},
    github::{Client, GitHub, GitHubError, RepositoryName},
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

/// Why GitHub could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("Millrace is not connected to GitHub. An owner can do that on the settings page")]
    NotConnected,
    #[error("Millrace's GitHub App is not installed for {0}. Install it there on the settings page")]
    NotInstalled(RepositoryName),
    #[error("{0}")]
    GitHub(#[from] GitHubError),
    #[error("The database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("What is known of the GitHub App cannot be read: {0}")]
    Seal(#[from] SealError),
}

/// Cloning is cheap.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    db: PgPool,
    seal: Seal,
    github: GitHub,
    config: GitHubConfig,
    own_login: tokio::sync::OnceCell<String>,
}

impl Connection {
    pub fn new(config: &Config, db: PgPool, queue: &Queue) -> anyhow::Result<Self> {
        let github = GitHub::new(&config.github.url, Some(queue.clone()))?;
        let seal = Seal::open(&config.server)?;
        Ok(Self(Arc::new(Inner { db, seal, github, config: config.github.clone(), own_login: tokio::sync::OnceCell::new() })))
    }

    pub fn github(&self) -> &GitHub {
        &self.0.github
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
        let token = self.token(repository, purpose).await?;
        Ok(self.0.github.with_token(token, format!("{repository} {purpose:?}")))
    }

    /// A token for git over HTTPS, whose user is `x-access-token`.
    pub async fn token(
        &self,
        _repository: &RepositoryName,
        _purpose: Purpose,
    ) -> Result<SecretString, ConnectionError> {
        match &self.0.config.token {
            token if token.expose_secret().is_empty() => Err(ConnectionError::NotConnected),
            token => Ok(token.clone()),
        }
    }

    /// Those with which a webhook may be signed.
    pub async fn webhook_secrets(&self) -> Result<Vec<SecretString>, ConnectionError> {
        let given = &self.0.config.webhook_secret;
        Ok(Some(given).filter(|secret| !secret.expose_secret().is_empty()).cloned().into_iter().collect())
    }

    /// The login under which Millrace writes there: `slug[bot]` of an App, or that of the token's owner.
    pub async fn own_login(&self) -> Result<String, ConnectionError> {
        let ask = async || {
            let token = &self.0.config.token;
            if token.expose_secret().is_empty() {
                return Err(ConnectionError::NotConnected);
            }
            let client = self.0.github.with_token(token.clone(), "token");
            Ok(client.get::<crate::github::event::Account>("/user").await?.login)
        };
        self.0.own_login.get_or_try_init(ask).await.cloned()
    }

    /// The App itself, where there is one.
    pub async fn as_app(&self) -> Result<Option<Client>, ConnectionError> {
        Ok(None)
    }

    /// Asks GitHub where the App is installed, and keeps the answer.
    pub async fn refresh_installations(&self) -> Result<(), ConnectionError> {
        Ok(())
    }
}
