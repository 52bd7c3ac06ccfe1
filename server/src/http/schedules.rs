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
    rest::{Answer, Caller, Id, JsonBody},
};
use crate::backend::Server;

pub(super) async fn list_schedules(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
) -> Answer<Vec<Schedule>> {
    Ok(Json(server.schedules(&person).await?))
}

pub(super) async fn create_schedule(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    JsonBody(schedule): JsonBody<NewSchedule>,
) -> Result<Response, Problem> {
    let schedule = server.create_schedule(&person, schedule).await?;
    Ok((StatusCode::CREATED, Json(schedule)).into_response())
}

/// The jobs that it made stay.
pub(super) async fn delete_schedule(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<ScheduleId>,
) -> Result<StatusCode, Problem> {
    server.delete_schedule(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
