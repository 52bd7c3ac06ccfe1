//! The way into a repository of the GitHub that Millrace is connected to.

use app::model::Job;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;

use crate::{
    connection::{Connection, ConnectionError, Purpose},
    db::answers::Fork,
    github::{Refused, RepositoryName, leads_to_pull_requests},
};

/// What lets one git process into one repository. It is in that process's environment alone: on no command line, in no
/// settings, and nothing that an agent gets.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose rights it has.
    pub repository: RepositoryName,
    /// Where git is to go, over HTTP.
    pub address: String,
    web: String,
    token: SecretString,
    refused: Refused,
}

impl Access {
    /// `None` where git has to get along with what it has: the repository is no connected one, or the work of strangers.
    pub(super) async fn find(
        connection: &Connection,
        job: &Job,
        purpose: Purpose,
    ) -> Result<Option<Self>, ConnectionError> {
        match connection.repository_at(&job.repository).filter(|_| !is_strangers(job)) {
            Some(repository) => Self::ask(connection, repository, purpose).await,
            None => Ok(None),
        }
    }

    /// The way to the branch of a fork whose pull request lets maintainers push to it: with the rights in the repository that
    /// the pull request is for.
    pub(super) async fn find_fork(
        connection: &Connection,
        job: &Job,
        fork: &Fork,
    ) -> Result<Option<Self>, ConnectionError> {
        let Some(repository) = connection.repository_at(&job.repository) else { return Ok(None) };
        let access = Self::ask(connection, repository, Purpose::Push).await?;
        Ok(access.map(|access| Self { address: connection.address_of(&fork.repository), ..access }))
    }

    async fn ask(
        connection: &Connection,
        repository: RepositoryName,
        purpose: Purpose,
    ) -> Result<Option<Self>, ConnectionError> {
        let (token, refused) = match connection.token(&repository, purpose).await {
            Ok(granted) => granted,
            Err(ConnectionError::NotConnected | ConnectionError::NotInstalled(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let web = connection.github().web().as_str().trim_end_matches('/').to_owned();
        Ok(Some(Self { address: connection.address_of(&repository), repository, web, token, refused }))
    }

    pub(super) fn give(&self, command: &mut Command) {
        let basic = self.basic();
        let key = format!("http.{}/.extraHeader", self.web);
        command
            .env("GIT_CONFIG_COUNT", "2")
            // An empty one takes back those of the machine.
            .env("GIT_CONFIG_KEY_0", &key)
            .env("GIT_CONFIG_VALUE_0", "")
            .env("GIT_CONFIG_KEY_1", &key)
            .env("GIT_CONFIG_VALUE_1", format!("Authorization: Basic {}", basic.expose_secret()));
    }

    /// Git was not let in: the token is not used again.
    pub(super) fn note_refusal(&self) {
        self.refused.note();
    }

    /// What nobody may read, in the forms in which it is used.
    pub(super) fn secrets(&self) -> [SecretString; 2] {
        [self.token.clone(), self.basic()]
    }

    fn basic(&self) -> SecretString {
        STANDARD.encode(format!("x-access-token:{}", self.token.expose_secret())).into()
    }
}

/// Whether somebody without any rights may have written what is checked out.
pub(super) fn is_strangers(job: &Job) -> bool {
    job.git_ref.as_deref().is_some_and(leads_to_pull_requests)
}
