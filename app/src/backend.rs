//! The one trait behind the server functions; the server implements it. Only this file knows axum's side of Leptos.

use std::sync::Arc;

use async_trait::async_trait;
use http::{StatusCode, request::Parts};
use leptos::prelude::use_context;
use server_fn::{ServerFn, error::ServerFnUrlError};

use crate::model::{
        ApiError, ApiToken, Board, Job, JobDetail, JobFilter, JobId, JobPage, NewJob, NewSchedule, NewToken, Operations, OutputPage, Person, Schedule, ScheduleId, TokenId, Window,
};

/// What the dashboard asks of the server. Every method checks that `person` may do it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The person whose session or token came with the request.
    async fn authenticate(&self, request: &Parts) -> Result<Person, ApiError>;
    async fn sign_out(&self, request: &Parts) -> Result<(), ApiError>;

    async fn board(&self, person: &Person, filter: &JobFilter) -> Result<Board, ApiError>;
    /// Jobs in any state, the newest first.
    async fn jobs(&self, person: &Person, filter: &JobFilter) -> Result<JobPage, ApiError>;
    /// Jobs that have ended, the latest first.
    async fn finished_jobs(&self, person: &Person, filter: &JobFilter) -> Result<JobPage, ApiError>;
    async fn repositories(&self, person: &Person) -> Result<Vec<String>, ApiError>;

    async fn create_job(&self, person: &Person, job: NewJob) -> Result<Job, ApiError>;
    async fn job(&self, person: &Person, id: JobId) -> Result<JobDetail, ApiError>;
    async fn cancel_job(&self, person: &Person, id: JobId) -> Result<(), ApiError>;
    async fn retry_job(&self, person: &Person, id: JobId) -> Result<(), ApiError>;

    async fn operations(&self, person: &Person) -> Result<Operations, ApiError>;

    async fn output(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        window: Window,
    ) -> Result<OutputPage, ApiError>;

    /// The person's own.
    async fn tokens(&self, person: &Person) -> Result<Vec<ApiToken>, ApiError>;
    async fn create_token(&self, person: &Person, name: &str) -> Result<NewToken, ApiError>;
    async fn delete_token(&self, person: &Person, id: TokenId) -> Result<(), ApiError>;

    async fn schedules(&self, person: &Person) -> Result<Vec<Schedule>, ApiError>;
    async fn create_schedule(&self, person: &Person, schedule: NewSchedule) -> Result<Schedule, ApiError>;
    async fn delete_schedule(&self, person: &Person, id: ScheduleId) -> Result<(), ApiError>;
}

/// The server and the person behind the request that is being answered.
pub(crate) async fn caller() -> Result<(Arc<dyn Backend>, Person), ApiError> {
    let backend = use_context::<Arc<dyn Backend>>().ok_or(ApiError::Internal)?;
    let person = backend.authenticate(&request()?).await?;
    Ok((backend, person))
}

/// The head of the request that is being answered.
pub(crate) fn request() -> Result<Parts, ApiError> {
    use_context::<Parts>().ok_or(ApiError::Internal)
}

/// Sends the browser to `path`: as a redirect where a form was posted without WASM, by the router otherwise.
pub(crate) fn redirect(path: &str) {
    leptos_axum::redirect(path);
}

/// Answers a form that is refused. A browser without the WASM is sent back: to `form`, with what was wrong, or to where it
/// came from. Others get the error with its status.
pub(crate) fn refuse<Function: ServerFn>(error: &ApiError, form: Option<&str>) {
    let wants_page = request().is_ok_and(|request| {
        let accept = request.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    });
    match form {
        _ if !wants_page => set_status(error),
        Some(form) => {
            let url = ServerFnUrlError::new(Function::PATH, error.clone())
                .to_url(&format!("http://localhost{form}"));
            if let Ok(url) = url {
                redirect(&format!("{}?{}", url.path(), url.query().unwrap_or_default()));
            }
        }
        // Leptos sends it there.
        None => {}
    }
}

/// Answers with the status that fits what went wrong.
pub(crate) fn set_status(error: &ApiError) {
    let status = match error {
        ApiError::SignIn => StatusCode::UNAUTHORIZED,
        ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
        ApiError::NotFound(_) => StatusCode::NOT_FOUND,
        ApiError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ApiError::Conflict(_) => StatusCode::CONFLICT,
        ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        ApiError::Internal | ApiError::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(status);
    }
}
