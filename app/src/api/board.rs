//! The first page.

use leptos::{prelude::*, server};

use crate::model::{ApiError, Board, JobFilter, JobPage};

#[server(name = ReadBoard, input = server_fn::codec::GetUrl)]
pub async fn board(#[server(default)] filter: JobFilter) -> Result<Board, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.board(&person, &filter).await
}

/// Finished jobs from `filter.cursor` on.
#[server(input = server_fn::codec::GetUrl)]
pub async fn older_jobs(#[server(default)] filter: JobFilter) -> Result<JobPage, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.finished_jobs(&person, &filter).await
}
