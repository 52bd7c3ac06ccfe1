//! The connection to GitHub.

use leptos::server;

use crate::model::ApiError;
#[cfg(feature = "ssr")]
use crate::model::{AppForm, GitHubConnection};

/// For the page that shows it.
#[cfg(feature = "ssr")]
pub async fn github() -> Result<GitHubConnection, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.github(&person).await
}

/// The form that makes a GitHub App, good for this browser and once. An empty organisation: for one's own account.
#[cfg(feature = "ssr")]
pub async fn app_form(organisation: &str) -> Result<AppForm, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.begin_connecting(&person, &crate::backend::request()?, organisation).await
}

/// Asks GitHub where the App is installed.
#[server]
pub async fn refresh_github() -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.refresh_github(&person).await;
    crate::backend::answer_form::<RefreshGithub, _>(&done, crate::backend::SETTINGS);
    done
}

/// Forgets the App. GitHub still has it.
#[server]
pub async fn disconnect_github() -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.disconnect_github(&person).await;
    crate::backend::answer_form::<DisconnectGithub, _>(&done, crate::backend::SETTINGS);
    done
}
