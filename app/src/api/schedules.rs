//! Jobs that the clock makes.

use leptos::{prelude::*, server};

use crate::model::{ApiError, NewSchedule, Schedule, ScheduleId};

#[server(input = server_fn::codec::GetUrl)]
pub async fn schedules() -> Result<Vec<Schedule>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.schedules(&person).await
}

#[server]
pub async fn create_schedule(schedule: NewSchedule) -> Result<Schedule, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend
        .create_schedule(&person, schedule)
        .await
        .inspect_err(|error| crate::backend::refuse::<CreateSchedule>(error, None))
}

/// The jobs that it made stay.
#[server]
pub async fn delete_schedule(id: ScheduleId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend
        .delete_schedule(&person, id)
        .await
        .inspect_err(|error| crate::backend::refuse::<DeleteSchedule>(error, None))
}
