//! Whether the server lives, and whether it can work.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{backend::Server, db};

/// What the server needs, and whether it is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    postgres: Answer,
    redis: Answer,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok,
    Away,
}

/// Whether the server lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the server can work.
///
/// 200 when Postgres and Redis answer, otherwise 503 and which of them does not.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "What is `away`", body = Readiness)
    )
)]
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let (postgres, redis) = tokio::join!(db::ping(server.lifecycle.db()), server.lifecycle.queue().ping());
    let word = |works: bool| if works { Answer::Ok } else { Answer::Away };
    let status =
        if postgres.is_ok() && redis.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Readiness { postgres: word(postgres.is_ok()), redis: word(redis.is_ok()) };
    (status, Json(body)).into_response()
}
