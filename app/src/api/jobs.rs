//! Making jobs and telling them what to do.

use leptos::{prelude::*, server};

use crate::model::{ApiError, JobDetail, JobId, NewJob};

/// Makes a job and goes to its page. `start` is when it may begin, as the form says it: at once when it is empty.
#[server]
pub async fn create_job(job: NewJob, #[server(default)] start: String) -> Result<JobId, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let run_at = crate::backend::instant("run_at", &start)
        .inspect_err(|error| crate::backend::refuse::<CreateJob>(error, &job.address()))?;
    let job = NewJob { run_at, ..job };
    let made = backend.create_job(&person, job.clone()).await;
    match &made {
        Ok(made) => crate::backend::redirect(&format!("/jobs/{}", made.id)),
        Err(error) => crate::backend::refuse::<CreateJob>(error, &job.address()),
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
    let done = backend.cancel_job(&person, id).await;
    crate::backend::answer_form::<CancelJob, _>(&done, &format!("/jobs/{id}"));
    done
}

/// Puts a finished job into the queue again, as a new attempt.
#[server]
pub async fn retry_job(id: JobId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.retry_job(&person, id).await;
    crate::backend::answer_form::<RetryJob, _>(&done, &format!("/jobs/{id}"));
    done
}

/// Removes a job with all that it printed, and goes to the board.
#[server]
pub async fn delete_job(id: JobId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.delete_job(&person, id).await;
    match &done {
        Ok(()) => crate::backend::redirect("/"),
        Err(error) => crate::backend::refuse::<DeleteJob>(error, &format!("/jobs/{id}")),
    }
    done
}

/// Repositories of earlier jobs, the latest used first, to choose from.
#[server(input = server_fn::codec::GetUrl)]
pub async fn repositories() -> Result<Vec<String>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.repositories(&person).await
}
