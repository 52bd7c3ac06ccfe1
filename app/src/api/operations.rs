//! Lanes and runners: what the operator's page reads and does.

use leptos::{prelude::*, server};

use crate::model::{ApiError, CleanRequest, Cleaned, Kind, Operations};

#[cfg(feature = "ssr")]
const PAGE: &str = "/lanes";

#[server(name = ReadOperations, input = server_fn::codec::GetUrl)]
pub async fn operations() -> Result<Operations, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.operations(&person).await
}

/// Stops a lane from starting jobs: for so many minutes, or until somebody resumes it when they are 0.
#[server]
pub async fn pause_lane(lane: Kind, reason: String, #[server(default)] minutes: u32) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let until = (minutes > 0).then(|| crate::backend::in_minutes(minutes));
    let done = backend.pause_lane(&person, lane, crate::model::PauseRequest { reason, until }).await;
    crate::backend::answer_form::<PauseLane, _>(&done, PAGE);
    done
}

#[server]
pub async fn resume_lane(lane: Kind) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.resume_lane(&person, lane).await;
    crate::backend::answer_form::<ResumeLane, _>(&done, PAGE);
    done
}

/// What a clean-up would remove; nothing is removed.
#[server(input = server_fn::codec::GetUrl)]
pub async fn preview_clean(lane: Kind, request: CleanRequest) -> Result<Cleaned, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.clean_lane(&person, lane, CleanRequest { dry_run: true, ..request }).await
}

/// Removes jobs, and goes back to the page, which says how many went.
#[server]
pub async fn clean_lane(lane: Kind, request: CleanRequest) -> Result<Cleaned, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.clean_lane(&person, lane, CleanRequest { dry_run: false, ..request }).await;
    match &done {
        Ok(cleaned) => crate::backend::redirect(&format!("{PAGE}?removed={}#clean-up", cleaned.jobs)),
        Err(error) => crate::backend::refuse::<CleanLane>(error, PAGE),
    }
    done
}

/// Lets a runner finish what it runs and take nothing new.
#[server]
pub async fn drain_runner(runner: String) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.drain_runner(&person, &runner).await;
    crate::backend::answer_form::<DrainRunner, _>(&done, PAGE);
    done
}

#[server]
pub async fn undrain_runner(runner: String) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.undrain_runner(&person, &runner).await;
    crate::backend::answer_form::<UndrainRunner, _>(&done, PAGE);
    done
}
