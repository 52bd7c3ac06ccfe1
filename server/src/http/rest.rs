//! The REST API: thin, because the dashboard asks the same [`Backend`].

use std::{str::FromStr, sync::Arc};

use app::{
    backend::Backend,
    model::{ApiError, Attempt, Job, JobDetail, JobFilter, JobId, JobPage, Line, NewJob, Person, Trigger},
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{
        FromRequest, FromRequestParts, OriginalUri, Path, Query, Request, State, rejection::JsonRejection,
    },
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::error::Problem;
use crate::{backend::Server, lifecycle::Submitted};

/// How many lines a request for output gets when it does not say, and at most.
const LINES: u64 = 1000;
const MOST_LINES: u64 = 5000;
/// How many jobs one request can make.
const MOST_JOBS: usize = 1000;

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// The person behind a request; asking for it is what authenticates a handler.
pub(super) struct Caller(pub Person);

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        Ok(Self(server.authenticate(parts).await?))
    }
}

/// An id from the path. What is no id names nothing.
pub(super) struct Id<T = JobId>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_such_route(parts.uri.path()))?;
        Ok(Self(parse_id(&id)?))
    }
}

fn parse_id<T: FromStr>(id: &str) -> Result<T, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound(format!("There is nothing under `{id}`: that is not an id.")))
}

/// Query parameters, with an answer that programs can read when they are wrong.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(parameters)| Self(parameters))
            .map_err(|rejection| Problem::wrong_query(rejection.body_text()))
    }
}

/// A JSON body, likewise.
pub(super) struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Problem::wrong_json(StatusCode::UNPROCESSABLE_ENTITY, error.body_text()))
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::too_large()),
            Err(error) => Err(Problem::wrong_json(error.status(), error.body_text())),
        }
    }
}

pub(super) async fn no_such_route(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::no_such_route(uri.path())
}

pub(super) async fn wrong_method() -> Problem {
    Problem::wrong_method()
}

/// A job, or a list of them, which is taken as a whole or not at all.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    Many(Vec<NewJob>),
    One(Box<NewJob>),
}

pub(super) async fn create_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    JsonBody(new): JsonBody<OneOrMany>,
) -> Result<Response, Problem> {
    let new = match new {
        OneOrMany::One(new) => *new,
        OneOrMany::Many(new) => {
            if new.is_empty() || new.len() > MOST_JOBS {
                let message = format!("A list has between 1 and {MOST_JOBS} jobs.");
                return Err(ApiError::invalid("", message).into());
            }
            if new.iter().any(|new| new.idempotency_key.is_some()) {
                let message = "Jobs of a list cannot have keys of their own: send them one by one.";
                return Err(ApiError::invalid("idempotency_key", message).into());
            }
            let jobs = server.submit_all(&person, new).await?;
            return Ok((StatusCode::CREATED, Json(JobPage { jobs, next: None })).into_response());
        }
    };
    // A repeated request is told what the first one made.
    let (status, job) = match server.submit(&person, new, Trigger::Api).await? {
        Submitted::New(job) => (StatusCode::CREATED, job),
        Submitted::Before(job) => (StatusCode::OK, job),
    };
    let location = HeaderValue::from_str(&format!("/api/jobs/{}", job.id)).ok();
    let mut response = (status, Json(job)).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn list_jobs(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Parameters(filter): Parameters<JobFilter>,
) -> Answer<JobPage> {
    Ok(Json(server.jobs(&person, &filter).await?))
}

/// Takes the last eight digits of an id too, as lists show it to people.
pub(super) async fn get_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Answer<JobDetail> {
    let is_short = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = if is_short { server.find_short(&person, &id).await? } else { parse_id(&id)? };
    Ok(Json(server.job(&person, id).await?))
}

/// Answers with the job as it is afterwards: a running one is still running until its runner has stopped it.
pub(super) async fn cancel_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Job> {
    server.cancel_job(&person, id).await?;
    Ok(Json(server.lifecycle.find(&person, id).await?))
}

pub(super) async fn retry_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Job> {
    server.retry_job(&person, id).await?;
    Ok(Json(server.lifecycle.find(&person, id).await?))
}

pub(super) async fn delete_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    server.delete_job(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_attempts(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Vec<Attempt>> {
    Ok(Json(server.job(&person, id).await?.attempts))
}

#[derive(Deserialize)]
pub(super) struct OutputQuery {
    attempt: Option<u32>,
    #[serde(default)]
    after: u64,
    limit: Option<u64>,
}

/// Stored lines are JSON already and are sent on as they are.
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

#[derive(Deserialize)]
pub(super) struct TextQuery {
    attempt: Option<u32>,
}

/// The whole output as text, as a download; read and sent block by block.
pub(super) async fn get_output_text(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
    Parameters(query): Parameters<TextQuery>,
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
