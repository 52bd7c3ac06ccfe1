//! What an app asks for itself: its installations, their tokens, its webhook and what was delivered to it.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Path;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Caller, Input, Paging, Reply, Shared, Spot, hooks};
use crate::{
    manifest,
    refusal::Refusal,
    secrets::APP_PRIVATE_KEY,
    webhooks::{Delivery, HookOwner},
    world::{Installation, Outcome, State, stamp},
};

pub(super) async fn get(world: Shared, caller: Caller) -> Answer {
    let state = world.lock();
    Ok(Reply::ok(state.render_app(caller.app(&state)?)))
}

/// Without any token: the code is the secret, and good for once within an hour.
pub(super) async fn convert_manifest(world: Shared, Path(code): Path<String>) -> Answer {
    let mut state = world.lock();
    let id = manifest::redeem(&mut state, &code)?;
    let app = state.app(&id.to_string())?;
    let mut rendered = state.render_app(app);
    rendered["client_secret"] = json!(app.client_secret);
    rendered["webhook_secret"] = json!(app.webhook_secret);
    rendered["pem"] = json!(APP_PRIVATE_KEY);
    Ok(Reply::created(rendered))
}

pub(super) async fn installations(world: Shared, caller: Caller, paging: Paging) -> Answer {
    let state = world.lock();
    let app = caller.app(&state)?.id;
    let found = state.installations.iter().filter(|installation| installation.app == app);
    Ok(paging.list(found.map(|installation| state.render_installation(installation)).collect()))
}

pub(super) async fn installation(world: Shared, caller: Caller, Path(id): Path<u64>) -> Answer {
    let state = world.lock();
    Ok(Reply::ok(state.render_installation(own(&state, &caller, id)?)))
}

pub(super) async fn repository_installation(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let state = world.lock();
    let app = caller.app(&state)?.id;
    let found = state.installation_on(app, &spot.repository).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(state.render_installation(found)))
}

fn own<'a>(state: &'a State, caller: &Caller, id: u64) -> Outcome<&'a Installation> {
    let app = caller.app(state)?.id;
    state.installation(id).ok().filter(|found| found.app == app).ok_or_else(Refusal::not_found)
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    /// Names without their owner.
    repositories: Option<Vec<String>>,
    repository_ids: Option<Vec<u64>>,
    permissions: Option<BTreeMap<String, String>>,
}

/// Never more than the installation has.
pub(super) async fn create_token(
    world: Shared,
    caller: Caller,
    Path(id): Path<u64>,
    Input(wanted): Input<Wanted>,
) -> Answer {
    let mut state = world.lock();
    let installation = own(&state, &caller, id)?.clone();
    if installation.suspended {
        return Err(Refusal::forbidden("This installation has been suspended"));
    }
    let selected = wanted.repositories.is_some() || wanted.repository_ids.is_some();
    let repositories = narrowed_repositories(&state, &installation, &wanted)?;
    let permissions = match wanted.permissions {
        None => installation.permissions.clone(),
        Some(permissions) => {
            let granted = |(name, level): (&String, &String)| match installation.permissions.get(name) {
                Some(given) => given == "write" || given == level,
                None => name == "metadata" && level == "read",
            };
            if !permissions.iter().all(granted) {
                return Err(Refusal::unprocessable(
                    "The permissions requested are not granted to this installation.",
                ));
            }
            let metadata = ("metadata".to_owned(), "read".to_owned());
            permissions.into_iter().chain([metadata]).collect()
        }
    };
    let (text, token) = state.issue_token(id, repositories, permissions);
    let mut body = json!({
        "token": text, "expires_at": stamp(token.expires_at), "permissions": token.permissions,
        "repository_selection": "selected",
    });
    if selected {
        let listed = token.repositories.iter().map(|name| state.render_repository(name));
        body["repositories"] = listed.collect();
    }
    Ok(Reply::created(body))
}

fn narrowed_repositories(
    state: &State,
    installation: &Installation,
    wanted: &Wanted,
) -> Outcome<BTreeSet<String>> {
    if wanted.repositories.is_none() && wanted.repository_ids.is_none() {
        return Ok(installation.repositories.clone());
    }
    let missing = || {
        Refusal::unprocessable(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    };
    let mut chosen = BTreeSet::new();
    for name in wanted.repositories.iter().flatten() {
        let full_name = installation.repositories.iter().find(|full_name| {
            full_name.split_once('/').is_some_and(|(_, short)| short.eq_ignore_ascii_case(name))
        });
        chosen.insert(full_name.ok_or_else(missing)?.clone());
    }
    for id in wanted.repository_ids.iter().flatten() {
        let full_name = installation
            .repositories
            .iter()
            .find(|name| state.repository(name).is_ok_and(|repository| repository.id == *id));
        chosen.insert(full_name.ok_or_else(missing)?.clone());
    }
    Ok(chosen)
}

pub(super) async fn installation_repositories(world: Shared, caller: Caller, paging: Paging) -> Answer {
    let state = world.lock();
    let Caller::Installation(token) = &caller else {
        return Err(Refusal::forbidden(
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ));
    };
    let repositories = token.repositories.iter().map(|name| state.render_repository(name)).collect();
    Ok(paging.counted("repositories", repositories))
}

pub(super) async fn hook_config(world: Shared, caller: Caller) -> Answer {
    let state = world.lock();
    Ok(Reply::ok(render_config(&caller.app(&state)?.webhook_url)))
}

#[derive(Deserialize)]
pub(super) struct Config {
    url: Option<String>,
    secret: Option<String>,
}

pub(super) async fn change_hook_config(
    world: Shared,
    caller: Caller,
    Input(config): Input<Config>,
) -> Answer {
    let mut state = world.lock();
    let id = caller.app(&state)?.id;
    let app = state.apps.iter_mut().find(|app| app.id == id).ok_or_else(Refusal::not_found)?;
    app.webhook_url = config.url.unwrap_or_else(|| app.webhook_url.clone());
    app.webhook_secret = config.secret.unwrap_or_else(|| app.webhook_secret.clone());
    Ok(Reply::ok(render_config(&app.webhook_url)))
}

fn render_config(url: &str) -> Value {
    json!({ "content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url })
}

pub(super) async fn deliveries(world: Shared, caller: Caller, paging: Paging) -> Answer {
    let state = world.lock();
    let owner = HookOwner::App(caller.app(&state)?.id);
    Ok(paging.after(hooks::of(&state, &owner).map(Delivery::render).collect()))
}

pub(super) async fn delivery(world: Shared, caller: Caller, Path(id): Path<u64>) -> Answer {
    let state = world.lock();
    let owner = HookOwner::App(caller.app(&state)?.id);
    Ok(Reply::ok(hooks::find(&state, &owner, id)?.render_whole()))
}

pub(super) async fn redeliver(world: Shared, caller: Caller, Path(id): Path<u64>) -> Answer {
    let mut state = world.lock();
    let owner = HookOwner::App(caller.app(&state)?.id);
    let delivery = hooks::find(&state, &owner, id)?.clone();
    state.redeliver(&delivery);
    Ok(Reply::accepted())
}
