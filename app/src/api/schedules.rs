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
    let made = backend.create_schedule(&person, schedule.clone()).await;
    match &made {
        Ok(_) => crate::backend::answer_form::<CreateSchedule, _>(&made, crate::backend::SETTINGS),
        Err(error) => crate::backend::refuse::<CreateSchedule>(error, &schedule.address()),
    }
    made
}

/// The jobs that it made stay.
#[server]
pub async fn delete_schedule(id: ScheduleId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.delete_schedule(&person, id).await;
    crate::backend::answer_form::<DeleteSchedule, _>(&done, crate::backend::SETTINGS);
    done
}
