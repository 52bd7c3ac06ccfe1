//! `/api/tokens`: a person's own API tokens.

use std::sync::Arc;

use app::{
    backend::Backend,
    model::{ApiToken, NewToken, TokenId, TokenRequest},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    error::Problem,
    openapi::Refused,
    rest::{Answer, Caller, Id, JsonBody},
};
use crate::backend::Server;

/// List one's own tokens, the newest first.
#[utoipa::path(
    get,
    path = "/api/tokens",
    tag = "tokens",
    responses(
        (status = 200, description = "The tokens, without their secrets", body = [ApiToken]),
        Refused
    )
)]
pub(super) async fn list_tokens(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Answer<Vec<ApiToken>> {
    Ok(Json(server.tokens(&person).await?))
}

/// Make a token.
///
/// The answer is the only one that holds the secret.
#[utoipa::path(
    post,
    path = "/api/tokens",
    tag = "tokens",
    request_body = TokenRequest,
    responses((status = 201, description = "The token, with its secret", body = NewToken), Refused)
)]
pub(super) async fn create_token(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    JsonBody(TokenRequest { name }): JsonBody<TokenRequest>,
) -> Result<Response, Problem> {
    let token = server.create_token(&person, &name).await?;
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

/// Withdraw a token.
#[utoipa::path(
    delete,
    path = "/api/tokens/{id}",
    tag = "tokens",
    params(("id" = TokenId, Path, description = "The token's id, not its secret")),
    responses((status = 204, description = "It is withdrawn"), Refused)
)]
pub(super) async fn delete_token(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<TokenId>,
) -> Result<StatusCode, Problem> {
    server.delete_token(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
