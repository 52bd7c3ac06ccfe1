//! `/api/runners`: who executes attempts.

use std::sync::Arc;

use app::model::RunnerInfo;
use axum::{Json, extract::State};

use super::{
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
