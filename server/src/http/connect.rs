//! `/settings/github/…`: where GitHub sends an owner's browser back to while Millrace is being connected.

use std::sync::Arc;

use app::{
    backend::Backend as _,
    model::{ApiError, Role},
};
use axum::{
    extract::{Query, State},
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use tower_sessions::Session;

use super::{error::Problem, session};
use crate::{
    backend::Server,
    connected::{PENDING, Pending},
    connection::ConnectError,
};

#[derive(Deserialize)]
pub(super) struct Created {
    code: Option<String>,
    state: Option<String>,
}

/// The App was made: exchanges the code for it, and goes on to choosing repositories.
pub(super) async fn created(
    State(server): State<Arc<Server>>,
    session: Session,
    parts: Parts,
    Query(answer): Query<Created>,
) -> Result<Response, Problem> {
    // Before anything else is read of the session, which would put the entry back.
    let pending = session::take(&server, &session, PENDING).await?;
    if let Some(elsewhere) = not_an_owner(&server, &parts).await? {
        return Ok(elsewhere);
    }
    let pending: Option<Pending> = pending.and_then(|pending| serde_json::from_value(pending).ok());
    let Some(code) =
        answer.code.filter(|_| pending.is_some_and(|pending| pending.fits(answer.state.as_deref())))
    else {
        return Ok(back("app_state"));
    };
    Ok(match server.connection.connect(&code).await {
        Ok(app) => Redirect::to(&app.install_address()).into_response(),
        Err(error) => {
            tracing::warn!(%error, "Millrace was not connected to GitHub");
            back(match error {
                ConnectError::Code => "app_code",
                ConnectError::Incomplete => "app_incomplete",
                ConnectError::Connected => "app_connected",
                ConnectError::Connection(_) => "app_away",
            })
        }
    })
}

/// Repositories were chosen, or changed. What GitHub sends along is not believed: it is asked.
pub(super) async fn installed(State(server): State<Arc<Server>>, parts: Parts) -> Result<Response, Problem> {
    if let Some(elsewhere) = not_an_owner(&server, &parts).await? {
        return Ok(elsewhere);
    }
    Ok(match server.connection.refresh_installations().await {
        Ok(()) => Redirect::to("/settings#github").into_response(),
        Err(error) => {
            tracing::warn!(%error, "the installations were not read");
            back("app_not_read")
        }
    })
}

async fn not_an_owner(server: &Server, parts: &Parts) -> Result<Option<Response>, Problem> {
    match server.authenticate(parts).await {
        Ok(person) if person.role == Role::Owner => Ok(None),
        Ok(_) => Ok(Some(back("app_owners"))),
        Err(ApiError::SignIn) => Ok(Some(Redirect::to("/sign-in").into_response())),
        Err(error) => Err(error.into()),
    }
}

fn back(problem: &str) -> Response {
    Redirect::to(&format!("/settings?github={problem}")).into_response()
}
