//! `/api/schedules`: jobs that the clock makes.

use std::sync::Arc;

use app::{
    backend::Backend,
    model::{NewSchedule, Schedule, ScheduleId},
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

/// List schedules, by name.
#[utoipa::path(
    get,
    path = "/api/schedules",
    tag = "schedules",
    responses((status = 200, description = "The schedules", body = [Schedule]), Refused)
)]
pub(super) async fn list_schedules(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Answer<Vec<Schedule>> {
    Ok(Json(server.schedules(&person).await?))
}

/// Make a schedule.
#[utoipa::path(
    post,
    path = "/api/schedules",
    tag = "schedules",
    request_body = NewSchedule,
    responses((status = 201, description = "The schedule", body = Schedule), Refused)
)]
pub(super) async fn create_schedule(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    JsonBody(schedule): JsonBody<NewSchedule>,
) -> Result<Response, Problem> {
    let schedule = server.create_schedule(&person, schedule).await?;
    Ok((StatusCode::CREATED, Json(schedule)).into_response())
}

/// Delete a schedule.
///
/// The jobs that it made stay.
#[utoipa::path(
    delete,
    path = "/api/schedules/{id}",
    tag = "schedules",
    params(("id" = ScheduleId, Path, description = "The schedule's id")),
    responses((status = 204, description = "It is deleted"), Refused)
)]
pub(super) async fn delete_schedule(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<ScheduleId>,
) -> Result<StatusCode, Problem> {
    server.delete_schedule(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
