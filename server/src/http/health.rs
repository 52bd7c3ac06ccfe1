//! Whether the server lives, and whether it can work.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{backend::Server, db};

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// 200 when Postgres and Redis answer, otherwise 503 and which of them does not.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let (postgres, redis) = tokio::join!(db::ping(server.lifecycle.db()), server.lifecycle.queue().ping());
    let word = |works: bool| if works { "ok" } else { "away" };
    let status =
        if postgres.is_ok() && redis.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "postgres": word(postgres.is_ok()), "redis": word(redis.is_ok()) });
    (status, Json(body)).into_response()
}
