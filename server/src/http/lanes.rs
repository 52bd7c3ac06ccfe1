//! The REST API of lanes.

use std::sync::Arc;

use app::model::{ApiError, CleanRequest, Cleaned, Kind, Lane, PauseRequest};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::request::Parts,
};

use super::{
    error::Problem,
    openapi::Refused,
    rest::{Answer, Caller, JsonBody},
};
use crate::backend::Server;

/// A lane's name from the path.
pub(super) struct LaneName(Kind);

impl<S: Send + Sync> FromRequestParts<S> for LaneName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_such_route(parts.uri.path()))?;
        let lane =
            name.parse().map_err(|error| ApiError::NotFound(format!("There is no such lane: {error}.")))?;
        Ok(Self(lane))
    }
}

/// List lanes.
#[utoipa::path(
    get,
    path = "/api/lanes",
    tag = "lanes",
    operation_id = "list_lanes",
    responses((status = 200, description = "The lanes", body = [Lane]), Refused)
)]
pub(super) async fn list(State(server): State<Arc<Server>>, Caller(_): Caller) -> Answer<Vec<Lane>> {
    Ok(Json(server.lanes().await?))
}

/// Start no more jobs of a lane; for owners.
///
/// Answers with the lane as it is afterwards.
#[utoipa::path(
    post,
    path = "/api/lanes/{lane}/pause",
    tag = "lanes",
    operation_id = "pause_lane",
    params(("lane" = Kind, Path, description = "The lane")),
    request_body = PauseRequest,
    responses((status = 200, description = "The lane", body = Lane), Refused)
)]
pub(super) async fn pause(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    LaneName(lane): LaneName,
    JsonBody(request): JsonBody<PauseRequest>,
) -> Answer<Lane> {
    server.pause_lane(&person, lane, request).await?;
    find(&server, lane).await
}

/// Start jobs of a lane again; for owners.
#[utoipa::path(
    post,
    path = "/api/lanes/{lane}/resume",
    tag = "lanes",
    operation_id = "resume_lane",
    params(("lane" = Kind, Path, description = "The lane")),
    responses((status = 200, description = "The lane", body = Lane), Refused)
)]
pub(super) async fn resume(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    LaneName(lane): LaneName,
) -> Answer<Lane> {
    server.resume_lane(&person, lane).await?;
    find(&server, lane).await
}

/// Remove jobs of a lane by state and age; for owners.
#[utoipa::path(
    post,
    path = "/api/lanes/{lane}/clean",
    tag = "lanes",
    operation_id = "clean_lane",
    params(("lane" = Kind, Path, description = "The lane")),
    request_body = CleanRequest,
    responses((status = 200, description = "What was removed, or would be", body = Cleaned), Refused)
)]
pub(super) async fn clean(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    LaneName(lane): LaneName,
    JsonBody(request): JsonBody<CleanRequest>,
) -> Answer<Cleaned> {
    Ok(Json(server.clean_lane(&person, lane, request).await?))
}

async fn find(server: &Server, lane: Kind) -> Answer<Lane> {
    let lanes = server.lifecycle.lanes().await?;
    lanes.into_iter().find(|found| found.kind == lane).map(Json).ok_or_else(|| ApiError::Internal.into())
}
