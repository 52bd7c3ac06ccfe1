//! What a job printed.

use leptos::{prelude::*, server};

#[cfg(feature = "ssr")]
use crate::components::job::FirstSteps;
use crate::model::{ApiError, JobId, OutputPage, TranscriptPage, Window};

/// The lines that a page shows first. Scrolling reads on through `GET /api/jobs/{id}/output`, which sends stored JSON on as
/// it is.
#[server(input = server_fn::codec::GetUrl)]
pub async fn output(id: JobId, attempt: u32, window: Window) -> Result<OutputPage, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.output(&person, id, attempt, window).await
}

/// The steps of an agent in the piece of the output that holds the line after `after`, rendered.
#[server(name = ReadTranscript, endpoint = "read_transcript", input = server_fn::codec::GetUrl)]
pub async fn transcript(id: JobId, attempt: u32, after: u64) -> Result<TranscriptPage, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    crate::transcript::page(&*backend, &person, id, attempt, after).await
}

/// The end of an attempt's steps, for the page that shows it first.
#[cfg(feature = "ssr")]
pub async fn first_steps(id: JobId, attempt: u32, total: u64) -> Result<FirstSteps, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    crate::transcript::first(&*backend, &person, id, attempt, total).await
}
