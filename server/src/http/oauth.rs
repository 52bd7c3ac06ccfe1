//! `/auth/github`: signing in with GitHub, and making a GitHub account that of somebody who is signed in.

use std::sync::Arc;

use app::model::{ApiError, Person, Role, UserId};
use axum::{
    Extension,
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tower_sessions::{Expiry, Session};
use uuid::Uuid;

use super::{
    error::Problem,
    limit::NotAuthenticated,
    session::{self, session_failed},
};
use crate::{
    backend::Server,
    config::Member,
    connected::connection_failed,
    db::{
        accounts::{self, Standing},
        people,
    },
    github::{Client, ExchangeError, GitHubAccount, GitHubError},
    lifecycle::away,
    seal::{Seal, SealError},
    secret,
};

/// The session's entry between leaving for GitHub and coming back.
const PENDING: &str = "github_sign_in";
/// How long somebody may take at GitHub.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(10);

/// What is kept until the browser comes back: the verifier, encrypted so that only the state opens it, which the browser
/// brings and which is kept nowhere.
#[derive(Serialize, Deserialize)]
struct Pending {
    verifier: String,
    expires_at: i64,
    /// Where the browser goes in the end.
    next: Option<String>,
}

impl Pending {
    fn new(
        seal: &Seal,
        state: &SecretString,
        verifier: &SecretString,
        next: Option<String>,
    ) -> Result<Self, SealError> {
        let sealed = seal.seal(&belongs_to(state.expose_secret()), verifier)?;
        let expires_at = (Utc::now() + GOOD_FOR).timestamp();
        Ok(Self { verifier: URL_SAFE_NO_PAD.encode(sealed), expires_at, next })
    }

    /// The verifier, where the state fits and it is not too late.
    fn open(&self, seal: &Seal, state: &str) -> Option<SecretString> {
        let sealed = URL_SAFE_NO_PAD.decode(&self.verifier).ok()?;
        seal.read(&belongs_to(state), &sealed).ok().filter(|_| Utc::now().timestamp() <= self.expires_at)
    }
}

fn belongs_to(state: &str) -> String {
    format!("github_sign_in/{state}")
}

/// Why nobody came in, by the word that the page shows a text for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Nobody can: there is no App and no OAuth client.
    Off,
    Denied,
    State,
    Refused,
    NotListed,
    Removed,
    Unclear,
    Malformed,
    Away,
    Taken,
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "github_off",
            Self::Denied => "github_denied",
            Self::State => "github_state",
            Self::Refused => "github_refused",
            Self::NotListed => "github_not_listed",
            Self::Removed => "github_removed",
            Self::Unclear => "github_unclear",
            Self::Malformed => "github_malformed",
            Self::Away => "github_away",
            Self::Taken => "github_taken",
        }
    }

    /// Whether somebody who guesses learned something.
    const fn counts(self) -> bool {
        !matches!(self, Self::Off | Self::Malformed | Self::Away)
    }
}

impl From<GitHubError> for Refusal {
    fn from(error: GitHubError) -> Self {
        tracing::warn!(%error, "GitHub did not say who signs in");
        match error {
            GitHubError::Unexpected(_) => Self::Malformed,
            _ => Self::Away,
        }
    }
}

/// Why a request stops: nobody comes in, or the database is away.
enum Stop {
    Refusal(Refusal),
    Error(ApiError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<GitHubError> for Stop {
    fn from(error: GitHubError) -> Self {
        Self::Refusal(error.into())
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// Sends the browser to GitHub.
pub(super) async fn begin(
    State(server): State<Arc<Server>>,
    session: Session,
    Query(Wanted { next }): Query<Wanted>,
) -> Result<Response, Problem> {
    let Some(client) = server.connection.oauth_client().await.map_err(connection_failed)? else {
        return Ok(refused(Page::SignIn, Refusal::Off));
    };
    let (state, verifier) = (random()?, random()?);
    let scope = match server.config.github.members.iter().all(|member| matches!(member, Member::Login(_))) {
        true => "",
        // What an OAuth app needs to be told; an App has it by its permissions.
        false => "read:org",
    };
    let redirect = redirect_address(&server);
    let address = server.connection.github().authorize_address(&client, &redirect, &state, &verifier, scope);
    if session::person(&session).await?.is_none() {
        session.set_expiry(Some(Expiry::OnInactivity(time::Duration::seconds(GOOD_FOR.num_seconds()))));
    }
    let pending = Pending::new(server.connection.seal(), &state, &verifier, next).map_err(|error| {
        tracing::error!(%error, "a sign-in could not begin");
        ApiError::Internal
    })?;
    session.insert(PENDING, pending).await.map_err(session_failed)?;
    Ok(Redirect::to(address.as_str()).into_response())
}

/// What GitHub sends the browser back with.
#[derive(Deserialize)]
pub(super) struct Answer {
    code: Option<SecretString>,
    state: Option<String>,
    error: Option<String>,
}

/// Where a refusal is told.
#[derive(Clone, Copy)]
enum Page {
    SignIn,
    /// To somebody who is signed in.
    Settings,
}

/// The browser is back.
pub(super) async fn finish(
    State(server): State<Arc<Server>>,
    session: Session,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    // Before anything else is read of the session, which would put the entry back.
    let pending = session::take(&server, &session, PENDING).await?;
    let here = match session::person(&session).await? {
        Some(id) => people::find(server.lifecycle.db(), id).await.map_err(away)?,
        None => None,
    };
    let page = if here.is_some() { Page::Settings } else { Page::SignIn };
    let pending: Option<Pending> = pending.and_then(|pending| serde_json::from_value(pending).ok());
    let next = pending.as_ref().and_then(|pending| pending.next.clone());
    let arrived = async {
        let account = account_of(&server, pending, answer).await?;
        match unlinked(&server, here).await? {
            Some(person) => link(&server, &person, &account.0).await.map(Arrived::Linked),
            None => admitted(&server, &account.0, &account.1).await.map(Arrived::SignedIn),
        }
    };
    match arrived.await {
        Ok(Arrived::Linked(login)) => {
            tracing::info!(github.login = login, "a GitHub account was linked");
            Ok(Redirect::to("/settings#people").into_response())
        }
        Ok(Arrived::SignedIn(user)) => {
            session::begin(&session, user, &headers).await?;
            tracing::info!(user.id = %user, "signed in with GitHub");
            Ok(Redirect::to(session::destination(next.as_deref())).into_response())
        }
        Err(Stop::Refusal(refusal)) => Ok(refused(page, refusal)),
        Err(Stop::Error(error)) => Err(error.into()),
    }
}

enum Arrived {
    Linked(String),
    SignedIn(UserId),
}

/// Whose account it is that the browser brings, with a client that asks in their name and is forgotten afterwards.
async fn account_of(
    server: &Server,
    pending: Option<Pending>,
    answer: Answer,
) -> Result<(GitHubAccount, Client), Stop> {
    let pending = pending.ok_or(Refusal::State)?;
    let state = answer.state.as_deref().unwrap_or_default();
    let verifier = pending.open(server.connection.seal(), state).ok_or(Refusal::State)?;
    let code = match (answer.code, answer.error.as_deref()) {
        (_, Some("access_denied")) => return Err(Refusal::Denied.into()),
        (Some(code), None) => code,
        _ => return Err(Refusal::Refused.into()),
    };
    let client = server.connection.oauth_client().await.map_err(connection_failed)?.ok_or(Refusal::Off)?;
    let github = server.connection.github();
    let exchanged = github.exchange(&client, &redirect_address(server), &code, &verifier).await;
    let token = exchanged.map_err(|error| match error {
        ExchangeError::Refused(reason) => {
            tracing::warn!(reason, "GitHub did not accept a code");
            Refusal::Refused
        }
        ExchangeError::GitHub(error) => error.into(),
    })?;
    // Nobody else's answers are kept under such a name.
    let client = github.with_token(token, format!("sign-in {}", Uuid::new_v4()));
    Ok((client.account().await?, client))
}

/// Somebody who is signed in and has no GitHub account here yet.
async fn unlinked(server: &Server, here: Option<Person>) -> Result<Option<Person>, Stop> {
    let Some(person) = here else { return Ok(None) };
    let account = accounts::github_id(server.lifecycle.db(), person.id).await.map_err(away)?;
    Ok(Some(person).filter(|_| account.is_none()))
}

async fn link(server: &Server, person: &Person, account: &GitHubAccount) -> Result<String, Stop> {
    let linked = accounts::link(server.lifecycle.db(), person.id, account.id, &account.login).await;
    match linked.map_err(away)? {
        true => Ok(account.login.clone()),
        false => Err(Refusal::Taken.into()),
    }
}

/// The person behind an account, whom the settings let in. Members are looked up in the list each time, because who has left
/// it is to stay outside; owners are let in by each other.
async fn admitted(server: &Server, account: &GitHubAccount, client: &Client) -> Result<UserId, Stop> {
    let db = server.lifecycle.db();
    let is_new = match accounts::standing(db, account.id).await.map_err(away)? {
        Standing::Admitted(id) => {
            let person = people::find(db, id).await.map_err(away)?;
            if person.is_none_or(|person| person.role != Role::Owner) {
                listed(&server.config.github.members, account, client).await?;
            }
            false
        }
        Standing::Removed => return Err(Refusal::Removed.into()),
        Standing::Open => {
            listed(&server.config.github.members, account, client).await?;
            true
        }
    };
    // A login may have changed.
    let person = people::of_github(db, account.id, &account.login).await.map_err(away)?;
    if is_new && !accounts::admit(db, person.id).await.map_err(away)? {
        return Err(Refusal::Removed.into());
    }
    Ok(person.id)
}

/// One entry that lets them in is enough, whatever GitHub says about the others.
async fn listed(members: &[Member], account: &GitHubAccount, client: &Client) -> Result<(), Refusal> {
    let mut refusal = Refusal::NotListed;
    for member in members {
        match client.is_member(account, member).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, %member, github.login = account.login, "GitHub did not say who belongs there");
                refusal = if error.may_pass_soon() { Refusal::Away } else { Refusal::Unclear };
            }
        }
    }
    Err(refusal)
}

fn refused(page: Page, refusal: Refusal) -> Response {
    let address = match page {
        Page::SignIn => format!("/sign-in?error={}", refusal.as_str()),
        Page::Settings => format!("/settings?github={}", refusal.as_str()),
    };
    let redirect = Redirect::to(&address);
    if refusal.counts() {
        (Extension(NotAuthenticated), redirect).into_response()
    } else {
        redirect.into_response()
    }
}

fn redirect_address(server: &Server) -> String {
    format!("{}/auth/github/callback", server.config.server.public_address())
}

pub(super) fn random() -> Result<SecretString, ApiError> {
    secret::generate("").map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        ApiError::Internal
    })
}
