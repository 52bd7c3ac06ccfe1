//! Signing in: a page on which one chooses who to be, codes that are good for once, and PKCE.

use std::sync::Arc;

use axum::{
    Form, Json, Router,
    body::Bytes,
    extract::{Query, State as Shared},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::{
    pages, secrets,
    world::{State, Token, World},
};

/// How long a code is good for.
const MINUTES: i64 = 10;

/// Somebody's word that a client may act for them, waiting to be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    client: String,
    login: String,
    redirect_uri: Option<String>,
    scopes: Vec<String>,
    /// Of PKCE, always S256.
    challenge: Option<String>,
    expires_at: DateTime<Utc>,
}

/// What the client sends the browser with, and the page sends on.
#[derive(Deserialize, Serialize)]
struct Ask {
    client_id: String,
    redirect_uri: Option<String>,
    state: Option<String>,
    scope: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    /// Who it is, once they chose; none of them denies.
    login: Option<String>,
}

/// A client for signing in: an app, or one of those that are none.
struct Client {
    name: String,
    id: String,
    secret: String,
    callback_urls: Vec<String>,
}

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/login/oauth/authorize", get(choose).post(decide))
        .route("/login/oauth/access_token", post(exchange))
}

impl State {
    fn client(&self, id: &str) -> Option<Client> {
        let app = self.apps.iter().find(|app| app.client_id == id).map(|app| Client {
            name: app.name.clone(),
            id: app.client_id.clone(),
            secret: app.client_secret.clone(),
            callback_urls: app.callback_urls.clone(),
        });
        app.or_else(|| {
            self.clients.iter().find(|client| client.id == id).map(|client| Client {
                name: client.name.clone(),
                id: client.id.clone(),
                secret: client.secret.clone(),
                callback_urls: client.callback_urls.clone(),
            })
        })
    }
}

impl Client {
    /// Where the browser goes back to: what was asked for, if it lies below a registered address.
    fn landing(&self, asked: Option<&str>) -> Option<Url> {
        let registered: Vec<Url> = self.callback_urls.iter().filter_map(|url| Url::parse(url).ok()).collect();
        let Some(asked) = asked else { return registered.into_iter().next() };
        let asked = Url::parse(asked).ok()?;
        let below = |url: &Url| {
            // On the loopback any port will do, as the documentation says.
            let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            url.scheme() == asked.scheme()
                && url.host_str() == asked.host_str()
                && (loopback || url.port_or_known_default() == asked.port_or_known_default())
                && asked.path().starts_with(url.path())
        };
        (registered.is_empty() || registered.iter().any(below)).then_some(asked)
    }
}

async fn choose(Shared(world): Shared<Arc<World>>, Query(ask): Query<Ask>) -> Response {
    let state = world.lock();
    let Some(client) = state.client(&ask.client_id) else { return unknown_client() };
    if let Some(mistake) = mistaken(&client, &ask) {
        return mistake;
    }
    let hidden = hidden(&ask);
    let page = html! {
        p { b { (client.name) } " wants to know who you are" @if let Some(scope) = &ask.scope { ", with " code { (scope) } } "." }
        @for user in state.users() {
            form method="post" class="choice" {
                (hidden)
                button name="login" value=(user.login) { "Continue as " (user.login) }
            }
        }
        form method="post" class="choice" {
            (hidden)
            button class="quiet" name="login" value="" { "Deny" }
        }
    };
    pages::page("Sign in", &page)
}

fn hidden(ask: &Ask) -> maud::Markup {
    let fields = serde_json::to_value(ask).unwrap_or_default();
    let fields = fields.as_object().cloned().unwrap_or_default();
    html! {
        @for (name, value) in fields {
            @if let Some(value) = value.as_str() { input type="hidden" name=(name) value=(value); }
        }
    }
}

async fn decide(Shared(world): Shared<Arc<World>>, Form(ask): Form<Ask>) -> Response {
    let mut state = world.lock();
    let Some(client) = state.client(&ask.client_id) else { return unknown_client() };
    if let Some(mistake) = mistaken(&client, &ask) {
        return mistake;
    }
    let Some(landing) = client.landing(ask.redirect_uri.as_deref()) else { return unknown_client() };
    let login = ask.login.as_deref().unwrap_or_default();
    if login.is_empty() {
        let denied = [
            ("error", "access_denied"),
            ("error_description", "The user has denied your application access."),
            (
                "error_uri",
                "https://docs.github.com/apps/troubleshooting-authorization-request-errors/#access-denied",
            ),
        ];
        return back(landing, &denied, ask.state.as_deref());
    }
    let Ok(user) = state.account(login) else {
        return (StatusCode::NOT_FOUND, "There is nobody of that name here.\n").into_response();
    };
    let login = user.login.clone();
    let code = secrets::random(20);
    let scopes = ask.scope.as_deref().unwrap_or_default().split([' ', ',']).filter(|scope| !scope.is_empty());
    let grant = Grant {
        client: client.id,
        login,
        redirect_uri: ask.redirect_uri,
        scopes: scopes.map(str::to_owned).collect(),
        challenge: ask.code_challenge,
        expires_at: Utc::now() + Duration::minutes(MINUTES),
    };
    state.grants.insert(code.clone(), grant);
    back(landing, &[("code", &code)], ask.state.as_deref())
}

/// What is wrong with the request itself; a wrong address is told to the registered one.
fn mistaken(client: &Client, ask: &Ask) -> Option<Response> {
    if client.landing(ask.redirect_uri.as_deref()).is_none() {
        let description = "The redirect_uri MUST match the registered callback URL for this application.";
        let mistake = [("error", "redirect_uri_mismatch"), ("error_description", description)];
        return Some(match client.landing(None) {
            Some(registered) => back(registered, &mistake, ask.state.as_deref()),
            None => (StatusCode::BAD_REQUEST, description).into_response(),
        });
    }
    let method = ask.code_challenge_method.as_deref();
    if ask.code_challenge.is_some() && method != Some("S256") {
        return Some((StatusCode::BAD_REQUEST, "code_challenge_method must be S256\n").into_response());
    }
    None
}

fn back(mut landing: Url, parameters: &[(&str, &str)], state: Option<&str>) -> Response {
    landing.query_pairs_mut().extend_pairs(parameters).extend_pairs(state.map(|state| ("state", state)));
    pages::redirect(landing.as_str())
}

fn unknown_client() -> Response {
    (StatusCode::NOT_FOUND, "There is no application with this client_id.\n").into_response()
}

/// Errors come with status 200, as at GitHub.
async fn exchange(
    Shared(world): Shared<Arc<World>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name| {
        headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or_default()
    };
    let mut sent: Vec<(String, String)> = query;
    if header(header::CONTENT_TYPE).starts_with("application/json") {
        let fields = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let fields = fields.as_object().cloned().unwrap_or_default();
        sent.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))));
    } else {
        sent.extend(form_urlencoded::parse(&body).into_owned());
    }
    let field = |name: &str| sent.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let answer = token_for(&mut world.lock(), &field);
    if header(header::ACCEPT).contains("json") {
        return Json(answer).into_response();
    }
    let pairs = answer.as_object().cloned().unwrap_or_default();
    let pairs = pairs.iter().map(|(name, value)| (name, value.as_str().unwrap_or_default()));
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")], text).into_response()
}

fn token_for<'a>(state: &mut State, field: &impl Fn(&str) -> Option<&'a str>) -> Value {
    let error = |error: &str, description: &str| {
        json!({
            "error": error, "error_description": description,
            "error_uri": format!("https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#{}", error.replace('_', "-")),
        })
    };
    let client = field("client_id").and_then(|id| state.client(id));
    let Some(client) = client.filter(|client| field("client_secret") == Some(client.secret.as_str())) else {
        return error(
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        );
    };
    // Whatever comes of it, the code is used up.
    let grant = field("code").and_then(|code| state.grants.remove(code));
    let fits = |grant: &Grant| {
        let proven = grant.challenge.as_ref().is_none_or(|challenge| {
            field("code_verifier").is_some_and(|verifier| {
                URL_SAFE_NO_PAD.encode(secrets::sha256(verifier.as_bytes())) == *challenge
            })
        });
        grant.client == client.id && grant.expires_at > Utc::now() && proven
    };
    let Some(grant) = grant.filter(fits) else {
        return error("bad_verification_code", "The code passed is incorrect or expired.");
    };
    let asked_for = grant.redirect_uri.as_deref();
    if field("redirect_uri").is_some_and(|redirect_uri| asked_for.is_some_and(|asked| asked != redirect_uri))
    {
        return error(
            "redirect_uri_mismatch",
            "The redirect_uri MUST match the registered callback URL for this application.",
        );
    }
    let text = format!("gho_{}", secrets::random(36));
    let scope = grant.scopes.join(",");
    state.tokens.insert(text.clone(), Token::User { login: grant.login, scopes: grant.scopes });
    json!({ "access_token": text, "token_type": "bearer", "scope": scope })
}
