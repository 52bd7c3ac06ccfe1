//! The connection to GitHub as owners see and change it.

use app::model::{ApiError, AppForm, GitHubConnection, Person};
use axum::http::request::Parts;
use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use crate::{
    backend::Server, config::Member, connection::ConnectionError, db::people::SecretHash,
    github::GitHubError, http::session::session_failed, operations::owners_only, secret,
};

/// The session's entry between leaving for GitHub with the form and coming back.
pub const PENDING: &str = "github_app";
/// As long as GitHub's code is good.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);

/// Forms that a browser may have open at once; of more, the oldest do not work any more.
const MOST_FORMS: usize = 8;

/// Of the forms that a browser was given, what must fit when it comes back.
#[derive(Default, Serialize, Deserialize)]
pub struct Pending(Vec<Form>);

#[derive(Serialize, Deserialize)]
struct Form {
    /// Its hash: whoever reads the database cannot bring it.
    state: SecretHash,
    expires_at: i64,
}

impl Pending {
    pub fn fits(&self, state: Option<&str>) -> bool {
        let hash = state.map(|state| secret::hash(&state.into()));
        let now = Utc::now().timestamp();
        self.0.iter().any(|form| Some(form.state) == hash && now < form.expires_at)
    }

    fn add(&mut self, state: SecretHash) {
        if self.0.len() >= MOST_FORMS {
            self.0.remove(0);
        }
        self.0.push(Form { state, expires_at: (Utc::now() + GOOD_FOR).timestamp() });
    }
}

impl Server {
    pub async fn github(&self, person: &Person) -> Result<GitHubConnection, ApiError> {
        owners_only(person)?;
        self.connection.standing().await.map_err(connection_failed)
    }

    /// The form that makes the App, for this browser and once. An empty organisation: for one's own account.
    pub async fn begin_connecting(
        &self,
        person: &Person,
        request: &Parts,
        organisation: &str,
    ) -> Result<AppForm, ApiError> {
        owners_only(person)?;
        if self.connection.is_connected().await.map_err(connection_failed)? {
            let message = "Millrace has a GitHub App already. Disconnect it on the settings page first.";
            return Err(ApiError::Conflict(message.to_owned()));
        }
        let organisation = Some(organisation.trim()).filter(|name| !name.is_empty());
        if let Some(name) = organisation
            && !matches!(format!("org:{name}").parse(), Ok(Member::Organisation(_)))
        {
            return Err(ApiError::invalid("organisation", "This is no name of an organisation at GitHub."));
        }
        let state = secret::generate("").map_err(|error| {
            tracing::error!(%error, "the system gives no random bytes");
            ApiError::Internal
        })?;
        let session = request.extensions.get::<Session>().ok_or(ApiError::SignIn)?;
        // What was written by another version is no reason to refuse.
        let mut pending = session.get::<Pending>(PENDING).await.ok().flatten().unwrap_or_default();
        pending.add(secret::hash(&state));
        session.insert(PENDING, pending).await.map_err(session_failed)?;
        Ok(self.connection.app_form(&self.config.server.public_address(), organisation, &state))
    }

    pub async fn refresh_github(&self, person: &Person) -> Result<(), ApiError> {
        owners_only(person)?;
        self.connection.refresh_installations().await.map_err(connection_failed)
    }

    pub async fn disconnect_github(&self, person: &Person) -> Result<(), ApiError> {
        owners_only(person)?;
        self.connection.disconnect().await.map_err(connection_failed)
    }
}

/// What people are told when GitHub, or what is known of it, could not be asked.
pub fn connection_failed(error: ConnectionError) -> ApiError {
    match error {
        ConnectionError::Database(error) => {
            tracing::warn!(%error, "the database failed");
            ApiError::Unavailable(
                "The database is away for a moment. Nothing was lost; please try again.".to_owned(),
            )
        }
        ConnectionError::GitHub(error @ (GitHubError::Unauthorized | GitHubError::NotFound)) => {
            tracing::warn!(%error, "GitHub does not know the App");
            ApiError::Conflict(
                "GitHub does not accept Millrace's App any more. If it was deleted there, disconnect it here and connect \
                 again."
                    .to_owned(),
            )
        }
        ConnectionError::GitHub(error) => ApiError::Unavailable(format!("{error}. Try again in a moment.")),
        error => {
            tracing::error!(%error, "the connection to GitHub cannot be used");
            ApiError::Conflict(format!("{error}."))
        }
    }
}
