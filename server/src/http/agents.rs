//! The REST API of agents.

use std::sync::Arc;

use app::model::AgentStatus;
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
use crate::backend::Server;

/// List the agents that a job can name, the one for jobs that name none first.
///
/// Each as the best equipped of the connected runners has it.
#[utoipa::path(
    get,
    path = "/api/agents",
    tag = "agents",
    operation_id = "list_agents",
    responses((status = 200, description = "The agents", body = [AgentStatus]), Refused)
)]
pub(super) async fn list(State(server): State<Arc<Server>>, Caller(_): Caller) -> Answer<Vec<AgentStatus>> {
    Ok(Json(server.agents().await?))
}

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
