//! `/api/sessions`: the browsers in which a person is signed in.

use std::sync::Arc;

use app::{
    backend::Backend,
    model::{SessionId, SignedIn},
};
use axum::{Json, extract::State, http::StatusCode, http::request::Parts};

use super::{
    error::Problem,
    openapi::Refused,
    rest::{Answer, Caller, Id},
};
use crate::backend::Server;

/// List the browsers in which one is signed in, the one that was here last first.
#[utoipa::path(
    get,
    path = "/api/sessions",
    tag = "sessions",
    responses((status = 200, description = "The sessions", body = [SignedIn]), Refused)
)]
pub(super) async fn list_sessions(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    parts: Parts,
) -> Answer<Vec<SignedIn>> {
    Ok(Json(server.sessions(&person, &parts).await?))
}

/// Sign one browser out.
#[utoipa::path(
    delete,
    path = "/api/sessions/{id}",
    tag = "sessions",
    params(("id" = SessionId, Path, description = "The session's id, not what its cookie holds")),
    responses((status = 204, description = "It is signed out"), Refused)
)]
pub(super) async fn end_session(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<SessionId>,
) -> Result<StatusCode, Problem> {
    server.end_session(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere.
///
/// API tokens stay.
#[utoipa::path(
    delete,
    path = "/api/sessions",
    tag = "sessions",
    responses((status = 204, description = "Every browser is signed out, also the one that asked"), Refused)
)]
pub(super) async fn end_sessions(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Result<StatusCode, Problem> {
    server.end_sessions(&person).await?;
    Ok(StatusCode::NO_CONTENT)
}
