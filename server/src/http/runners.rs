//! `/api/runners`: who executes attempts.

use std::sync::Arc;

use app::model::RunnerInfo;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    error::Problem,
    openapi::Refused,
    rest::{Answer, Caller},
};
use crate::{backend::Server, operations::owners_only};

/// List runners and what they run; for owners.
#[utoipa::path(
    get,
    path = "/api/runners",
    tag = "operation",
    responses((status = 200, description = "The runners, those that are online first", body = [RunnerInfo]), Refused)
)]
pub(super) async fn list_runners(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Answer<Vec<RunnerInfo>> {
    owners_only(&person)?;
    Ok(Json(server.runners().await?))
}

/// Let a runner take no more jobs, and end those it runs; for owners.
#[utoipa::path(
    post,
    path = "/api/runners/{name}/drain",
    tag = "operation",
    params(("name" = String, Path, description = "The runner's name")),
    responses((status = 204, description = "It takes no more jobs"), Refused)
)]
pub(super) async fn drain_runner(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    server.drain_runner(&person, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a drained runner take jobs again; for owners.
#[utoipa::path(
    post,
    path = "/api/runners/{name}/undrain",
    tag = "operation",
    params(("name" = String, Path, description = "The runner's name")),
    responses((status = 204, description = "It takes jobs again"), Refused)
)]
pub(super) async fn undrain_runner(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    server.undrain_runner(&person, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
