//! `/api/jobs/{id}/changes`: what an agent changed, as files and as a diff.

use std::sync::Arc;

use app::model::{ApiError, Changes, JobId};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{
    error::Problem,
    openapi::Refused,
    output::WhichAttempt,
    rest::{Answer, Caller, Id, Parameters},
};
use crate::backend::Server;

/// Get the files that an agent changed.
///
/// Against the commit that the attempt began with. The list is empty as long as nothing is known, and when nothing was changed.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/changes",
    tag = "changes",
    params(("id" = JobId, Path, description = "The job's id"), WhichAttempt),
    responses((status = 200, description = "The files", body = Changes), Refused)
)]
pub(super) async fn get_changes(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<WhichAttempt>,
) -> Answer<Changes> {
    let job = server.lifecycle.find(&person, id).await?;
    let attempt = query.attempt.unwrap_or(job.attempt);
    Ok(Json(server.changes(&person, id, attempt).await?))
}

/// Get what an agent changed, as a diff.
///
/// A unified diff as a download, as `git apply` takes it; files that are no text are only named. At most 8 MiB of it are kept.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/changes.patch",
    tag = "changes",
    params(("id" = JobId, Path, description = "The job's id"), WhichAttempt),
    responses(
        (status = 200, description = "The diff", body = String, content_type = "text/x-diff"),
        Refused
    )
)]
pub(super) async fn get_patch(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<WhichAttempt>,
) -> Result<Response, Problem> {
    let job = server.lifecycle.find(&person, id).await?;
    let attempt = query.attempt.unwrap_or(job.attempt);
    let patch = server.patch(&person, id, attempt).await?;
    let patch = patch.ok_or_else(|| ApiError::NotFound("This attempt changed nothing.".to_owned()))?;
    let name = format!("attachment; filename=\"millrace-{}-{attempt}.patch\"", id.short());
    let headers = [
        (header::CONTENT_TYPE, "text/x-diff; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, patch.text).into_response())
}
