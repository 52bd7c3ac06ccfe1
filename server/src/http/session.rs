//! Who is behind a request: a browser's session or an API token.

use std::sync::Arc;

use app::model::{ApiError, Person, UserId, address};
use axum::{
    Extension, Form,
    extract::{Request, State},
    http::{HeaderMap, header, request::Parts, uri::PathAndQuery},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use secrecy::SecretString;
use serde::Deserialize;
use sqlx::PgPool;
use tower_sessions::Session;

use super::{KnownTokens, error::Problem, limit::NotAuthenticated};
use crate::{
    backend::Server,
    db::{
        people::{self, LinkUse, SecretHash},
        sessions,
    },
    lifecycle::away,
    secret,
};

/// What a browser says of itself is kept up to so many characters.
const USER_AGENT_CHARS: usize = 300;

/// The person behind a request. A token goes before a cookie; a wrong token is not made good by a cookie.
pub async fn authenticate(db: &PgPool, known: &KnownTokens, request: &Parts) -> Result<Person, ApiError> {
    if let Some(hash) = token(request)? {
        if let Some(person) = known.find(&hash) {
            return Ok(person);
        }
        let person = people::by_token(db, &hash).await.map_err(away)?.ok_or(ApiError::SignIn)?;
        known.keep(hash, person.clone());
        return Ok(person);
    }
    let session = request.extensions.get::<Session>().ok_or(ApiError::SignIn)?;
    let id = person(session).await?.ok_or(ApiError::SignIn)?;
    people::find(db, id).await.map_err(away)?.ok_or(ApiError::SignIn)
}

/// The token that a request brings, if it brings any.
pub(super) fn token(request: &Parts) -> Result<Option<SecretHash>, ApiError> {
    let Some(authorization) = request.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = authorization.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
    let token = token.ok_or(ApiError::SignIn)?.trim();
    Ok(Some(secret::hash(&SecretString::from(token))))
}

/// Whose session it is.
pub(super) async fn person(session: &Session) -> Result<Option<UserId>, ApiError> {
    session.get(sessions::PERSON).await.map_err(session_failed)
}

/// Signs somebody in. The session gets a new id: one that somebody planted before is worth nothing afterwards.
pub(super) async fn begin(session: &Session, user: UserId, headers: &HeaderMap) -> Result<(), ApiError> {
    session.cycle_id().await.map_err(session_failed)?;
    session.clear().await;
    session.insert(sessions::PERSON, user).await.map_err(session_failed)?;
    if let Some(user_agent) = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()) {
        let user_agent: String = user_agent.chars().take(USER_AGENT_CHARS).collect();
        session.insert(sessions::USER_AGENT, user_agent).await.map_err(session_failed)?;
    }
    Ok(())
}

/// Takes an entry out of the session: it can be used once, by this browser.
pub(super) async fn take(
    server: &Server,
    session: &Session,
    entry: &str,
) -> Result<Option<serde_json::Value>, ApiError> {
    let Some(id) = session.id() else { return Ok(None) };
    sessions::take(server.lifecycle.db(), &id, entry).await.map_err(away)
}

/// Ends the session of a request.
pub async fn sign_out(request: &Parts) -> Result<(), ApiError> {
    match request.extensions.get::<Session>() {
        Some(session) => session.flush().await.map_err(session_failed),
        None => Ok(()),
    }
}

pub(crate) fn session_failed(error: tower_sessions::session::Error) -> ApiError {
    tracing::warn!(%error, "a session could not be read or written");
    ApiError::Unavailable("The database is away for a moment. Nothing was lost; please try again.".to_owned())
}

#[derive(Deserialize)]
pub(super) struct SignIn {
    token: SecretString,
    /// Where to go then.
    next: Option<String>,
}

/// Where somebody wanted to go when they had to sign in: a page of ours, or the board.
pub(super) fn destination(next: Option<&str>) -> &str {
    const LONGEST: usize = 2000;
    let is_ours = |next: &&str| {
        let mut chars = next.chars();
        // Browsers take `//` and `/\` for another host.
        chars.next() == Some('/')
            && !matches!(chars.next(), Some('/' | '\\'))
            && next.len() <= LONGEST
            && next.chars().all(|c| !c.is_control())
    };
    next.filter(is_ours).unwrap_or("/")
}

/// Uses a sign-in link up. It is a POST behind a button, so that neither a preview nor a prefetch of the link does it.
pub(super) async fn sign_in(
    State(server): State<Arc<Server>>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Problem> {
    let hash = secret::hash(&form.token);
    let user = match people::use_sign_in_link(server.lifecycle.db(), &hash).await.map_err(away)? {
        LinkUse::SignsIn(user) => user,
        LinkUse::Used => return Ok(not_signed_in("used")),
        LinkUse::Expired => return Ok(not_signed_in("expired")),
        LinkUse::Unknown => return Ok(not_signed_in("invalid")),
    };
    begin(&session, user, &headers).await?;
    tracing::info!(user.id = %user, "signed in by link");
    Ok(Redirect::to(destination(form.next.as_deref())).into_response())
}

fn not_signed_in(error: &str) -> Response {
    (Extension(NotAuthenticated), Redirect::to(&format!("/sign-in?error={error}"))).into_response()
}

/// Sends whoever is not signed in to the sign-in page.
pub(super) async fn require_person(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() == "/sign-in" {
        return next.run(request).await;
    }
    let wanted = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let (parts, body) = request.into_parts();
    match authenticate(server.lifecycle.db(), &server.tokens, &parts).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(ApiError::SignIn) if wanted == "/" => Redirect::to("/sign-in").into_response(),
        Err(ApiError::SignIn) => {
            Redirect::to(&address("/sign-in", &[("next", Some(&wanted))])).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::destination;

    #[test]
    fn who_signed_in_goes_to_a_page_of_ours() {
        assert_eq!(destination(Some("/jobs/1?tab=raw")), "/jobs/1?tab=raw");
        for elsewhere in
            ["https://example.com", "//example.com", "/\\example.com", "jobs", "", "/\n/example.com"]
        {
            assert_eq!(destination(Some(elsewhere)), "/", "{elsewhere:?}");
        }
        assert_eq!(destination(None), "/");
    }
}
