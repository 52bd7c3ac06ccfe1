//! Making an app from a manifest, and installing one: the pages that GitHub shows for both.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Form, Router,
    body::Bytes,
    extract::{Path, Query, State as Shared},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use chrono::{DateTime, Duration, Utc};
use maud::html;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{
    pages,
    refusal::Refusal,
    secrets,
    world::{App, Outcome, State, World},
};

/// Leads to an app that was just made, for an hour and for once.
#[derive(Debug)]
pub(crate) struct ManifestCode {
    app: u64,
    expires_at: DateTime<Utc>,
}

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/settings/apps/new", post(show_own))
        .route("/organizations/{org}/settings/apps/new", post(show_for_org))
        .route("/settings/apps", post(create))
        .route("/apps/{slug}", get(app))
        .route("/apps/{slug}/installations/new", get(choose).post(install))
}

/// Uses the code up.
pub(crate) fn redeem(state: &mut State, code: &str) -> Outcome<u64> {
    let found = state.manifests.remove(code).filter(|found| found.expires_at > Utc::now());
    found.map(|found| found.app).ok_or_else(Refusal::not_found)
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    url: String,
    hook_attributes: Option<HookAttributes>,
    redirect_url: Option<String>,
    #[serde(default)]
    callback_urls: Vec<String>,
    setup_url: Option<String>,
    #[serde(default)]
    default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    default_events: Vec<String>,
}

#[derive(Deserialize)]
struct HookAttributes {
    url: String,
    active: Option<bool>,
}

#[derive(Deserialize)]
struct Asked {
    state: Option<String>,
}

#[derive(Deserialize)]
struct Sent {
    manifest: String,
}

async fn show_own(world: Shared<Arc<World>>, Query(asked): Query<Asked>, Form(sent): Form<Sent>) -> Response {
    let owners: Vec<String> = world.lock().users().map(|user| user.login.clone()).collect();
    show(&owners, asked, &sent)
}

async fn show_for_org(
    world: Shared<Arc<World>>,
    Path(org): Path<String>,
    Query(asked): Query<Asked>,
    Form(sent): Form<Sent>,
) -> Response {
    match world.lock().organization(&org) {
        Ok(org) => show(std::slice::from_ref(&org.login), asked, &sent),
        Err(refusal) => refusal.into_response(),
    }
}

fn show(owners: &[String], asked: Asked, sent: &Sent) -> Response {
    let manifest: Manifest = match serde_json::from_str(&sent.manifest) {
        Ok(manifest) => manifest,
        Err(error) => return invalid(&format!("The manifest cannot be read: {error}")),
    };
    let page = html! {
        p { "An app of this name will be made, with what the manifest asks for." }
        form method="post" action="/settings/apps" {
            input type="hidden" name="manifest" value=(sent.manifest);
            input type="hidden" name="state" value=(asked.state.unwrap_or_default());
            label { "Name " input name="name" value=(manifest.name.unwrap_or_default()) required; }
            label { "Owner " select name="owner" { @for owner in owners { option { (owner) } } } }
            button { "Create GitHub App" }
        }
        h2 { "Permissions" }
        ul { @for (name, level) in &manifest.default_permissions { li { code { (name) } ": " (level) } } }
        h2 { "Events" }
        ul { @for event in &manifest.default_events { li { code { (event) } } } }
    };
    pages::page("Create GitHub App", &page)
}

fn invalid(message: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, format!("{message}\n")).into_response()
}

#[derive(Deserialize)]
struct Creation {
    manifest: String,
    state: String,
    name: String,
    owner: String,
}

async fn create(Shared(world): Shared<Arc<World>>, Form(wanted): Form<Creation>) -> Response {
    let manifest: Manifest = match serde_json::from_str(&wanted.manifest) {
        Ok(manifest) => manifest,
        Err(error) => return invalid(&format!("The manifest cannot be read: {error}")),
    };
    let mut state = world.lock();
    let slug = slug(&wanted.name);
    if slug.is_empty() || state.app(&slug).is_ok() {
        return invalid("Name is already taken");
    }
    let id = state.add_app(App {
        id: 0,
        slug,
        name: wanted.name,
        owner: wanted.owner.clone(),
        client_id: format!("Iv23{}", secrets::random(16)),
        client_secret: secrets::random(40),
        webhook_url: manifest
            .hook_attributes
            .filter(|hook| hook.active != Some(false))
            .map(|hook| hook.url)
            .unwrap_or_default(),
        webhook_secret: secrets::random(40),
        permissions: manifest.default_permissions,
        events: manifest.default_events,
        external_url: manifest.url,
        setup_url: manifest.setup_url,
        callback_urls: manifest.callback_urls,
        created_at: Utc::now(),
    });
    let code = secrets::random(40);
    state
        .manifests
        .insert(code.clone(), ManifestCode { app: id, expires_at: Utc::now() + Duration::hours(1) });
    state.ping_app(id, &wanted.owner);
    match manifest.redirect_url.as_deref().map(Url::parse) {
        Some(Ok(mut url)) => {
            url.query_pairs_mut().append_pair("code", &code);
            if !wanted.state.is_empty() {
                url.query_pairs_mut().append_pair("state", &wanted.state);
            }
            pages::redirect(url.as_str())
        }
        _ => invalid("The manifest needs a redirect_url"),
    }
}

/// As in the app's address: lower case, everything else a hyphen.
fn slug(name: &str) -> String {
    let hyphenated: String = name
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    hyphenated.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

async fn app(Shared(world): Shared<Arc<World>>, Path(slug): Path<String>) -> Response {
    let state = world.lock();
    let app = match state.app(&slug) {
        Ok(app) => app,
        Err(refusal) => return refusal.into_response(),
    };
    let installed = state.installations.iter().filter(|installation| installation.app == app.id);
    let page = html! {
        p { "An app of " (app.owner) "." }
        p { a href={ "/apps/" (app.slug) "/installations/new" } { "Install or add repositories" } }
        ul { @for name in installed.flat_map(|found| &found.repositories) { li { a href={ "/" (name) } { (name) } } } }
    };
    pages::page(&app.name, &page)
}

async fn choose(
    Shared(world): Shared<Arc<World>>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let state = world.lock();
    let app = match state.app(&slug) {
        Ok(app) => app,
        Err(refusal) => return refusal.into_response(),
    };
    let page = html! {
        p { "Choose the repositories that " b { (app.name) } " may work with." }
        form method="post" {
            input type="hidden" name="state" value=(asked.state.unwrap_or_default());
            @for repository in state.repositories.values().map(|found| found.full_name()) {
                label { input type="checkbox" name="repository" value=(repository) checked; " " (repository) }
            }
            button { "Install" }
        }
    };
    pages::page(&format!("Install {}", app.name), &page)
}

/// For each owner of what was chosen; leads on to the app's own page if it has one.
async fn install(Shared(world): Shared<Arc<World>>, Path(slug): Path<String>, body: Bytes) -> Response {
    let mut chosen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut asked_state = String::new();
    for (name, value) in form_urlencoded::parse(&body).into_owned() {
        match (name.as_str(), value.split_once('/')) {
            ("repository", Some((owner, _))) => chosen.entry(owner.to_owned()).or_default().push(value),
            ("state", _) => asked_state = value,
            _ => {}
        }
    }
    if chosen.is_empty() {
        return invalid("Choose at least one repository");
    }
    let mut state = world.lock();
    let mut first = None;
    for (owner, repositories) in &chosen {
        match state.install(&slug, owner, repositories, owner) {
            Ok(id) => first = first.or(Some(id)),
            Err(refusal) => return refusal.into_response(),
        }
    }
    let setup = state.app(&slug).ok().and_then(|app| Url::parse(app.setup_url.as_deref()?).ok());
    match (setup, first) {
        (Some(mut url), Some(id)) => {
            url.query_pairs_mut()
                .append_pair("installation_id", &id.to_string())
                .append_pair("setup_action", "install");
            if !asked_state.is_empty() {
                url.query_pairs_mut().append_pair("state", &asked_state);
            }
            pages::redirect(url.as_str())
        }
        _ => pages::redirect(&format!("/apps/{slug}")),
    }
}
