//! Who may use a connected repository: Millrace's own token would open it to everybody who may ask for a job.
//!
//! Owners may use all of them, members those that they may write to on GitHub.

use app::model::{ApiError, Person, Role};

use crate::{
    backend::Server,
    connected::connection_failed,
    connection::{ConnectionError, Purpose},
    db::accounts,
    lifecycle::away,
};

impl Server {
    /// Refuses unless this person may have jobs on the repository at `address`.
    pub(crate) async fn permit(&self, person: &Person, address: &str) -> Result<(), ApiError> {
        if person.role == Role::Owner {
            return Ok(());
        }
        let Some(repository) = self.connection.repository_at(address) else { return Ok(()) };
        match self.connection.token(&repository, Purpose::Read).await {
            Ok(_) => {}
            // It is fetched without any token, as far as everybody can.
            Err(ConnectionError::NotConnected | ConnectionError::NotInstalled(_)) => return Ok(()),
            Err(error) => return Err(connection_failed(error)),
        }
        let login = accounts::github_login(self.lifecycle.db(), person.id).await.map_err(away)?;
        let Some(login) = login else {
            return Err(ApiError::Forbidden(format!(
                "Who may use {repository} is for GitHub to say, and your GitHub account is not known here. Sign in with \
                 GitHub, and ask again."
            )));
        };
        match self.connection.may_write(&repository, &login).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ApiError::Forbidden(format!(
                "{login} may not write to {repository} on GitHub, so there can be no jobs on it. Ask somebody who \
                 administers the repository."
            ))),
            Err(error) => Err(connection_failed(error)),
        }
    }
}
