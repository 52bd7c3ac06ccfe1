//! `/api/jobs/{id}/output`: what a job printed, as JSON and as text.

use std::sync::Arc;

use app::model::{ApiError, JobId, Line, OutputMatches, OutputPage};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    error::Problem,
    openapi::Refused,
    rest::{Answer, Caller, Id, Parameters},
};
use crate::{
    backend::Server,
    output::{Direction, Needle},
};

/// How many lines a request for output gets when it does not say, and at most.
const LINES: u64 = 1000;
const MOST_LINES: u64 = 5000;
/// How many matches a search gets when it does not say, and at most; and the longest text to look for, in bytes.
const MATCHES: usize = 100;
const MOST_MATCHES: usize = 1000;
const LONGEST_NEEDLE: usize = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OutputQuery {
    /// The latest attempt if it is left out.
    attempt: Option<u32>,
    /// Only lines after this one.
    #[serde(default)]
    after: u64,
    /// 1000 if it is left out, 5000 at most.
    limit: Option<u64>,
}

/// Get lines that a job printed.
///
/// Stored lines are JSON already and are sent on as they are.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/output",
    tag = "output",
    params(("id" = JobId, Path, description = "The job's id"), OutputQuery),
    responses(
        (status = 200, description = "Lines, and `next` to read on after them", body = OutputPage),
        Refused
    )
)]
pub(super) async fn get_output(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<OutputQuery>,
) -> Result<Response, Problem> {
    let attempt = match query.attempt {
        Some(attempt) => attempt,
        None => server.lifecycle.find(&person, id).await?.attempt,
    };
    let pages = server.pages(&person, id, attempt).await?;
    let limit = query.limit.unwrap_or(LINES).clamp(1, MOST_LINES);
    let page = pages.after(query.after, limit).await.map_err(unreadable)?;
    let mut body = b"{\"lines\":[".to_vec();
    for (index, block) in page.blocks.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&block.as_json_items());
    }
    body.extend_from_slice(format!("],\"total\":{}", page.total).as_bytes());
    if let Some(next) = page.next {
        body.extend_from_slice(format!(",\"next\":{next}").as_bytes());
    }
    body.push(b'}');
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichAttempt {
    /// The latest attempt if it is left out.
    pub attempt: Option<u32>,
}

/// Get all that a job printed, as text.
///
/// The whole output as text, as a download; read and sent block by block.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/output.txt",
    tag = "output",
    params(("id" = JobId, Path, description = "The job's id"), WhichAttempt),
    responses(
        (status = 200, description = "The text", body = String, content_type = "text/plain"),
        Refused
    )
)]
pub(super) async fn get_output_text(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<WhichAttempt>,
) -> Result<Response, Problem> {
    let job = server.lifecycle.find(&person, id).await?;
    let attempt = query.attempt.unwrap_or(job.attempt);
    server.pages(&person, id, attempt).await?;
    let reader = Arc::clone(&server);
    let text = async_stream::stream! {
        let mut cursor = 0;
        loop {
            let blocks = match reader.hub.reader().read(id, attempt, cursor).await {
                Ok(blocks) => blocks,
                // An error in the middle breaks the download off, so that nobody takes it for the whole.
                Err(error) => {
                    yield Err(error);
                    break;
                }
            };
            let Some(last) = blocks.last() else { break };
            cursor = last.last;
            for block in blocks {
                yield Ok(text_of(&block.lines));
            }
        }
    };
    let name = format!("attachment; filename=\"millrace-{}-{attempt}.txt\"", id.short());
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(text)).into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// The latest attempt if it is left out.
    attempt: Option<u32>,
    /// The text to find, in any case.
    #[serde(default)]
    q: String,
    /// The first matches after this line. From the first line on if it is left out.
    after: Option<u64>,
    /// The last matches before this line, instead of the first after one.
    before: Option<u64>,
    /// 100 if it is left out, 1000 at most.
    limit: Option<usize>,
}

/// Find text in all that a job printed.
///
/// Gives lines in their order, with the text around the first match of each, and how many lines match in all. It looks at
/// what a terminal would show, and at what an agent's steps say.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/output/search",
    tag = "output",
    params(("id" = JobId, Path, description = "The job's id"), SearchQuery),
    responses((status = 200, description = "Lines that match", body = OutputMatches), Refused)
)]
pub(super) async fn search_output(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<SearchQuery>,
) -> Answer<OutputMatches> {
    if query.q.is_empty() || query.q.len() > LONGEST_NEEDLE {
        return Err(ApiError::invalid("q", "Give a text to find, of 1000 bytes at most.").into());
    }
    let direction = match (query.after, query.before) {
        (after, None) => Direction::After(after.unwrap_or(0)),
        (None, Some(before)) => Direction::Before(before),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("before", "Give `after` or `before`, not both.").into());
        }
    };
    let needle = Needle::new(&query.q).ok_or_else(|| ApiError::invalid("q", "This text is too long."))?;
    let attempt = match query.attempt {
        Some(attempt) => attempt,
        None => server.lifecycle.find(&person, id).await?.attempt,
    };
    let pages = server.pages(&person, id, attempt).await?;
    let limit = query.limit.unwrap_or(MATCHES).clamp(1, MOST_MATCHES);
    Ok(Json(pages.search(&needle, direction, limit).await.map_err(unreadable)?))
}

/// Stored lines as the program printed them; the pieces of a long line are put together again.
fn text_of(lines: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(lines.len());
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            text.extend_from_slice(line.line.as_bytes());
            if !line.continues {
                text.push(b'\n');
            }
        }
    }
    text.into()
}

fn unreadable(error: anyhow::Error) -> Problem {
    tracing::error!(error = format!("{error:#}"), "the output cannot be read");
    ApiError::Internal.into()
}
