//! The one trait behind the server functions; the server implements it. Only this file knows axum's side of Leptos.

use std::sync::Arc;

use async_trait::async_trait;
use http::{StatusCode, request::Parts};
use leptos::prelude::use_context;
use server_fn::{ServerFn, error::ServerFnUrlError};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::model::{
    Accounts, AgentStatus, ApiError, ApiToken, AppForm, Board, CleanRequest, Cleaned, DeliveryDetail,
    DeliveryFilter, DeliveryId, DeliveryPage, Diff, Exchange, FileDiff, GitHubConnection, Job, JobDetail,
    JobFilter, JobId, JobPage, Kind, NewJob, NewSchedule, NewToken, Operations, OutputPage, PauseRequest,
    Person, Role, Schedule, ScheduleId, SessionId, SignedIn, Timestamp, TokenId, UserId, Window,
};

/// The page of tokens and schedules.
pub(crate) const SETTINGS: &str = "/settings";
/// The ledger of webhooks.
pub(crate) const DELIVERIES: &str = "/deliveries";

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
    /// The conversation that a job belongs to, the oldest job first; empty for a job that stands alone.
    async fn exchanges(&self, person: &Person, id: JobId) -> Result<Vec<Exchange>, ApiError>;
    /// The job whose id ends with these eight digits.
    async fn find_short(&self, person: &Person, digits: &str) -> Result<JobId, ApiError>;
    async fn cancel_job(&self, person: &Person, id: JobId) -> Result<(), ApiError>;
    async fn retry_job(&self, person: &Person, id: JobId) -> Result<(), ApiError>;
    /// Removes a job that does not run, with all that it printed.
    async fn delete_job(&self, person: &Person, id: JobId) -> Result<(), ApiError>;

    async fn operations(&self, person: &Person) -> Result<Operations, ApiError>;
    async fn pause_lane(&self, person: &Person, lane: Kind, request: PauseRequest) -> Result<(), ApiError>;
    async fn resume_lane(&self, person: &Person, lane: Kind) -> Result<(), ApiError>;
    async fn clean_lane(
        &self,
        person: &Person,
        lane: Kind,
        request: CleanRequest,
    ) -> Result<Cleaned, ApiError>;
    /// The agents that a job can name, the one for jobs that name none first, as the best equipped runner has them.
    async fn agents(&self, person: &Person) -> Result<Vec<AgentStatus>, ApiError>;
    /// Lets the jobs of an agent go on whose quota was used up.
    async fn resume_agent(&self, person: &Person, agent: &str) -> Result<(), ApiError>;
    /// The runner finishes what it runs and takes nothing new.
    async fn drain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError>;
    async fn undrain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError>;

    async fn output(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        window: Window,
    ) -> Result<OutputPage, ApiError>;

    /// What an attempt changed.
    async fn diff(&self, person: &Person, id: JobId, attempt: u32) -> Result<Diff, ApiError>;
    /// Rows of the diff's file with this number, from the row `from` on.
    async fn file_diff(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        file: u32,
        from: u32,
    ) -> Result<FileDiff, ApiError>;

    /// The person's own.
    async fn tokens(&self, person: &Person) -> Result<Vec<ApiToken>, ApiError>;
    async fn create_token(&self, person: &Person, name: &str) -> Result<NewToken, ApiError>;
    async fn delete_token(&self, person: &Person, id: TokenId) -> Result<(), ApiError>;

    /// What webhooks brought, the latest first.
    async fn deliveries(&self, person: &Person, filter: &DeliveryFilter) -> Result<DeliveryPage, ApiError>;
    async fn delivery(&self, person: &Person, id: DeliveryId) -> Result<DeliveryDetail, ApiError>;
    /// Has a delivery worked on anew; that may make another job.
    async fn replay_delivery(&self, person: &Person, id: DeliveryId) -> Result<(), ApiError>;

    /// The browsers in which the person is signed in; `request` tells which one asks.
    async fn sessions(&self, person: &Person, request: &Parts) -> Result<Vec<SignedIn>, ApiError>;
    async fn end_session(&self, person: &Person, id: SessionId) -> Result<(), ApiError>;
    async fn end_sessions(&self, person: &Person) -> Result<(), ApiError>;

    /// Who may come in. For owners, as what follows.
    async fn accounts(&self, person: &Person) -> Result<Accounts, ApiError>;
    async fn set_role(&self, person: &Person, id: UserId, role: Role) -> Result<(), ApiError>;
    async fn remove_account(&self, person: &Person, id: UserId) -> Result<(), ApiError>;
    async fn admit_again(&self, person: &Person, id: UserId) -> Result<(), ApiError>;

    /// Whether somebody who is not signed in can do that with GitHub.
    async fn signs_in_with_github(&self) -> bool;
    async fn github(&self, person: &Person) -> Result<GitHubConnection, ApiError>;
    /// The form that makes a GitHub App, good for the browser that asks.
    async fn begin_connecting(
        &self,
        person: &Person,
        request: &Parts,
        organisation: &str,
    ) -> Result<AppForm, ApiError>;
    async fn refresh_github(&self, person: &Person) -> Result<(), ApiError>;
    async fn disconnect_github(&self, person: &Person) -> Result<(), ApiError>;

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

/// Whether somebody who is not signed in can do that with GitHub.
pub(crate) async fn signs_in_with_github() -> bool {
    match use_context::<Arc<dyn Backend>>() {
        Some(backend) => backend.signs_in_with_github().await,
        None => false,
    }
}

/// The head of the request that is being answered.
pub(crate) fn request() -> Result<Parts, ApiError> {
    use_context::<Parts>().ok_or(ApiError::Internal)
}

/// Whether the browser was told to remember this choice.
pub(crate) fn has_cookie(name: &str, value: &str) -> bool {
    let Ok(request) = request() else { return false };
    let cookies = request.headers.get_all(http::header::COOKIE);
    let mut cookies =
        cookies.iter().filter_map(|cookies| cookies.to_str().ok()).flat_map(|all| all.split(';'));
    cookies.any(|cookie| cookie.trim().split_once('=') == Some((name, value)))
}

/// Sends the browser to `path`: as a redirect where a form was posted without WASM, by the router otherwise.
pub(crate) fn redirect(path: &str) {
    leptos_axum::redirect(path);
}

/// Answers a form that stands on `page`. A browser without the WASM goes there; with what was wrong, if the form was refused.
pub(crate) fn answer_form<Function: ServerFn, Done>(done: &Result<Done, ApiError>, page: &str) {
    match done {
        Ok(_) if wants_page() => redirect(page),
        Ok(_) => {}
        Err(error) => refuse::<Function>(error, page),
    }
}

/// Answers a form that is refused. A browser without the WASM is sent back to `page`, with what was wrong; others get the
/// error with its status.
pub(crate) fn refuse<Function: ServerFn>(error: &ApiError, page: &str) {
    if !wants_page() {
        return set_status(error);
    }
    let url = ServerFnUrlError::new(Function::PATH, error.clone()).to_url(&format!("http://localhost{page}"));
    if let Ok(url) = url {
        let place = url.fragment().map(|place| format!("#{place}")).unwrap_or_default();
        redirect(&format!("{}?{}{place}", url.path(), url.query().unwrap_or_default()));
    }
}

/// Whether a browser asks by itself, because the WASM is not there.
fn wants_page() -> bool {
    request().is_ok_and(|request| {
        let accept = request.headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    })
}

/// The present time by the server's clock, for pages that no browser takes over.
pub(crate) fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_millis())
}

pub(crate) fn in_minutes(minutes: u32) -> Timestamp {
    Timestamp((Utc::now() + TimeDelta::minutes(minutes.into())).timestamp_millis())
}

/// A time that somebody chose in a form: milliseconds from a browser with the WASM, which knows the time zone, and from
/// others what was typed, in UTC.
pub(crate) fn instant(field: &str, typed: &str) -> Result<Option<i64>, ApiError> {
    if typed.is_empty() {
        return Ok(None);
    }
    let instant = match typed.parse().ok().and_then(DateTime::from_timestamp_millis) {
        Some(instant) => Some(instant),
        None => NaiveDateTime::parse_from_str(typed, "%Y-%m-%dT%H:%M").ok().map(|time| time.and_utc()),
    };
    let millis = instant.map(|instant| instant.timestamp_millis());
    millis.map(Some).ok_or_else(|| ApiError::invalid(field, "This is not a time. Choose a day and an hour."))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_time_is_an_instant_or_typed_in_utc() {
        assert_eq!(instant("run_at", ""), Ok(None));
        assert_eq!(instant("run_at", "1738332300000"), Ok(Some(1_738_332_300_000)));
        assert_eq!(instant("run_at", "2025-01-31T14:05"), Ok(Some(1_738_332_300_000)));
        assert!(instant("run_at", "NaN").is_err());
        assert!(instant("run_at", "tomorrow").is_err());
    }
}
