//! `/api/tokens`: a person's own API tokens.

use std::sync::Arc;

use app::{
    backend::Backend,
    model::{ApiToken, TokenId, TokenRequest},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    error::Problem,
    rest::{Answer, Caller, Id, JsonBody},
};
use crate::backend::Server;

pub(super) async fn list_tokens(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Answer<Vec<ApiToken>> {
    Ok(Json(server.tokens(&person).await?))
}

/// The answer is the only one that holds the secret.
pub(super) async fn create_token(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    JsonBody(TokenRequest { name }): JsonBody<TokenRequest>,
) -> Result<Response, Problem> {
    let token = server.create_token(&person, &name).await?;
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

pub(super) async fn delete_token(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<TokenId>,
) -> Result<StatusCode, Problem> {
    server.delete_token(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
