//! Making jobs and telling them what to do.

use leptos::{prelude::*, server};

use crate::model::{ApiError, JobDetail, JobId, NewJob};

/// Makes a job and goes to its page.
#[server]
pub async fn create_job(job: NewJob) -> Result<JobId, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let made = backend.create_job(&person, job.clone()).await;
    match &made {
        Ok(made) => crate::backend::redirect(&format!("/jobs/{}", made.id)),
        Err(error) => crate::backend::refuse::<CreateJob>(error, Some(&job.address())),
    }
    made.map(|job| job.id)
}

#[server(input = server_fn::codec::GetUrl)]
pub async fn job(id: JobId) -> Result<JobDetail, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.job(&person, id).await
}

/// Takes a waiting job out of the queue, or asks a running one to stop.
#[server]
pub async fn cancel_job(id: JobId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend
        .cancel_job(&person, id)
        .await
        .inspect_err(|error| crate::backend::refuse::<CancelJob>(error, None))
}

/// Puts a finished job into the queue again, as a new attempt.
#[server]
pub async fn retry_job(id: JobId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.retry_job(&person, id).await.inspect_err(|error| crate::backend::refuse::<RetryJob>(error, None))
}

/// Repositories of earlier jobs, the latest used first, to choose from.
#[server(input = server_fn::codec::GetUrl)]
pub async fn repositories() -> Result<Vec<String>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.repositories(&person).await
}
