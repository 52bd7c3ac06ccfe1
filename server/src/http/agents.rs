//! The REST API of agents.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use super::{error::Problem, openapi::Refused, rest::Caller};
use crate::backend::Server;

/// Let the jobs of an agent go on whose quota was used up; for owners.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/resume",
    tag = "agents",
    operation_id = "resume_agent",
    params(("agent" = String, Path, description = "The agent's name")),
    responses((status = 204, description = "Its jobs are queued again"), Refused)
)]
pub(super) async fn resume(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Path(agent): Path<String>,
) -> Result<StatusCode, Problem> {
    server.resume_agent(&person, &agent).await?;
    Ok(StatusCode::NO_CONTENT)
}
