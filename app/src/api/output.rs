//! What a job printed.

use leptos::{prelude::*, server};

use crate::model::{ApiError, JobId, OutputPage, Window};

/// The lines that a page shows first. Scrolling reads on through `GET /api/jobs/{id}/output`, which sends stored JSON on as
/// it is.
#[server(input = server_fn::codec::GetUrl)]
pub async fn output(id: JobId, attempt: u32, window: Window) -> Result<OutputPage, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.output(&person, id, attempt, window).await
}
