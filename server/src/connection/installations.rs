//! Where the App is installed: looked up as a whole, which is simple and always right.

use super::{Connection, ConnectionError, tokens::of_installation};
use crate::{
    db::installations::{self, InstallationRow, RepositoryRow},
    github::{AppInstallation, Client, GitHubError, Permissions},
};

impl Connection {
    /// Asks GitHub for all installations and their repositories, and keeps the answer in place of what was known.
    pub async fn refresh_installations(&self) -> Result<(), ConnectionError> {
        let app = self.app().await?.ok_or(ConnectionError::NotConnected)?;
        // They may do more now, or nothing any more.
        app.tokens.clear();
        let client = self.client_of(&app)?;
        let mut found = Vec::new();
        for installation in client.installations().await? {
            match self.with_repositories(&client, installation).await {
                Ok(installation) => found.push(installation),
                // It was taken away while we looked.
                Err(GitHubError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(installations::replace(&self.0.db, &found).await?)
    }

    async fn with_repositories(
        &self,
        client: &Client,
        installation: AppInstallation,
    ) -> Result<InstallationRow, GitHubError> {
        let mut repositories = Vec::new();
        // A suspended one gets no token.
        if installation.suspended_at.is_none() {
            let permissions = Permissions::from([("metadata", "read")]);
            let token = client.installation_token(installation.id, None, &permissions).await?.token;
            let client = self.0.github.with_token(token, of_installation(installation.id));
            repositories = client.installed_repositories().await?;
        }
        let repositories = repositories.into_iter().map(|repository| RepositoryRow {
            id: repository.id,
            full_name: repository.full_name,
            is_private: repository.private,
        });
        Ok(InstallationRow {
            writes_workflows: installation.writes_workflows(),
            id: installation.id,
            account: installation.account.login,
            html_url: installation.html_url,
            suspended_at: installation.suspended_at,
            repositories: repositories.collect(),
        })
    }
}
