//! The one trait behind the server functions; the server implements it. Only this file knows axum's side of Leptos.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use leptos::prelude::use_context;
use server_fn::error::ServerFnUrlError;

use crate::model::{
    ApiError, Board, Job, JobDetail, JobFilter, JobId, JobPage, NewJob, OutputPage, Person, Window,
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

    async fn output(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        window: Window,
    ) -> Result<OutputPage, ApiError>;
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

/// Sends a browser without the WASM back to the form at `address`, with what was wrong. Others get the error as the answer.
pub(crate) fn return_to_form(address: &str, function: &str, error: &ApiError) {
    let wants_page = request().is_ok_and(|request| {
        let accept = request.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    });
    let refused =
        ServerFnUrlError::new(function, error.clone()).to_url(&format!("http://localhost{address}"));
    if let (true, Ok(url)) = (wants_page, refused) {
        redirect(&format!("{}?{}", url.path(), url.query().unwrap_or_default()));
    }
}

/// Sets the status of the page that is being rendered.
pub(crate) fn set_status(status: http::StatusCode) {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(status);
    }
}
