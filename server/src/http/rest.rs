//! The REST API: thin, because the dashboard asks the same [`Backend`].

use std::{str::FromStr, sync::Arc};

use app::{
    backend::Backend,
    model::{ApiError, Attempt, Job, JobDetail, JobFilter, JobId, JobPage, Person, Trigger},
};
use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, OriginalUri, Path, Query, Request, State, rejection::JsonRejection,
    },
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::{error::Problem, one_or_many::OneOrMany, openapi::Refused};
use crate::{backend::Server, lifecycle::Submitted};

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

/// Make a job, or several that are taken as a whole.
#[utoipa::path(
    post,
    path = "/api/jobs",
    tag = "jobs",
    request_body = OneOrMany,
    responses(
        (status = 201, description = "The new job; for a list of jobs, `{jobs}`", body = Job),
        (
            status = 200,
            description = "The job that an earlier request with this idempotency key made",
            body = Job
        ),
        Refused
    )
)]
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

/// List jobs, the newest first.
#[utoipa::path(
    get,
    path = "/api/jobs",
    tag = "jobs",
    params(JobFilter),
    responses((status = 200, description = "A page", body = JobPage), Refused)
)]
pub(super) async fn list_jobs(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Parameters(filter): Parameters<JobFilter>,
) -> Answer<JobPage> {
    Ok(Json(server.jobs(&person, &filter).await?))
}

/// Get a job.
///
/// Takes the last eight digits of an id too, as lists show it to people.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    tag = "jobs",
    params(("id" = String, Path, description = "The job's id, or its last eight digits")),
    responses((status = 200, description = "The job", body = JobDetail), Refused)
)]
pub(super) async fn get_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Path(id): Path<String>,
) -> Answer<JobDetail> {
    let id = if JobId::is_short(&id) { server.find_short(&person, &id).await? } else { parse_id(&id)? };
    Ok(Json(server.job(&person, id).await?))
}

/// Cancel a job.
///
/// Answers with the job as it is afterwards: a running one is still running until its runner has stopped it.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/cancel",
    tag = "jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = Job), Refused)
)]
pub(super) async fn cancel_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Job> {
    server.cancel_job(&person, id).await?;
    Ok(Json(server.lifecycle.find(&person, id).await?))
}

/// Run a job that has ended once more.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/retry",
    tag = "jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The job", body = Job), Refused)
)]
pub(super) async fn retry_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Job> {
    server.retry_job(&person, id).await?;
    Ok(Json(server.lifecycle.find(&person, id).await?))
}

/// Delete a job that is not running, with all that it printed.
#[utoipa::path(
    delete,
    path = "/api/jobs/{id}",
    tag = "jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 204, description = "It is deleted"), Refused)
)]
pub(super) async fn delete_job(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    server.delete_job(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a job's attempts, the first one first.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/attempts",
    tag = "jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The attempts", body = [Attempt]), Refused)
)]
pub(super) async fn list_attempts(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id,
) -> Answer<Vec<Attempt>> {
    Ok(Json(server.job(&person, id).await?.attempts))
}
