//! Webhooks of repositories and organisations, for a set-up without an app.

use axum::extract::Path;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Caller, Input, Paging, Reply, Shared, Spot, caller::Need};
use crate::{
    refusal::Refusal,
    webhooks::{Delivery, HookOwner},
    world::{Outcome, PlainHook, Role, State, stamp},
};

const ADMIN: Need = Need::write(&["repository_hooks"], Role::Admin);

pub(super) async fn list(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, ADMIN)?;
    let hooks = state.repository(&spot.repository)?.hooks.iter();
    let of = format!("repos/{}", spot.repository);
    Ok(paging.list(hooks.map(|hook| render(&state, "Repository", &of, hook)).collect()))
}

#[derive(Deserialize)]
pub(super) struct NewHook {
    config: Config,
    events: Option<Vec<String>>,
    active: Option<bool>,
}

#[derive(Deserialize)]
struct Config {
    url: Option<String>,
    #[serde(default)]
    secret: String,
}

pub(super) async fn create(world: Shared, caller: Caller, spot: Spot, Input(new): Input<NewHook>) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, ADMIN)?;
    let by = caller.login(&state)?;
    let url = new.config.url.ok_or_else(|| Refusal::custom("Hook", "url is missing a scheme"))?;
    let events = new.events.unwrap_or_else(|| vec!["push".to_owned()]);
    let there = state.repository(&spot.repository)?.hooks.iter();
    if there.into_iter().any(|hook| hook.url == url && hook.events == events) {
        return Err(Refusal::custom("Hook", "Hook already exists on this repository"));
    }
    let hook = PlainHook {
        id: state.next_id(),
        url,
        secret: new.config.secret,
        events,
        active: new.active.unwrap_or(true),
        created_at: Utc::now(),
    };
    let rendered = render(&state, "Repository", &format!("repos/{}", spot.repository), &hook);
    state.add_hook(&spot.repository, hook, &by);
    Ok(Reply::created(rendered))
}

pub(super) async fn deliveries(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, ADMIN)?;
    let owner = owner(&state, &spot)?;
    Ok(paging.after(of(&state, &owner).map(Delivery::render).collect()))
}

#[derive(Deserialize)]
pub(super) struct Number {
    delivery: u64,
}

pub(super) async fn delivery(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Number { delivery }): Path<Number>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, ADMIN)?;
    let owner = owner(&state, &spot)?;
    Ok(Reply::ok(find(&state, &owner, delivery)?.render_whole()))
}

pub(super) async fn redeliver(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Number { delivery }): Path<Number>,
) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, ADMIN)?;
    let owner = owner(&state, &spot)?;
    let delivery = find(&state, &owner, delivery)?.clone();
    state.redeliver(&delivery);
    Ok(Reply::accepted())
}

pub(super) async fn list_of_organization(
    world: Shared,
    caller: Caller,
    Path(org): Path<String>,
    paging: Paging,
) -> Answer {
    let state = world.lock();
    let hooks = seen_hooks(&state, &caller, &org)?;
    let of = format!("orgs/{org}");
    Ok(paging.list(hooks.iter().map(|hook| render(&state, "Organization", &of, hook)).collect()))
}

pub(super) async fn deliveries_of_organization(
    world: Shared,
    caller: Caller,
    Path((org, hook)): Path<(String, u64)>,
    paging: Paging,
) -> Answer {
    let state = world.lock();
    let owner = owner_in_organization(&state, &caller, &org, hook)?;
    Ok(paging.after(of(&state, &owner).map(Delivery::render).collect()))
}

pub(super) async fn redeliver_of_organization(
    world: Shared,
    caller: Caller,
    Path((org, hook, delivery)): Path<(String, u64, u64)>,
) -> Answer {
    let mut state = world.lock();
    let owner = owner_in_organization(&state, &caller, &org, hook)?;
    let delivery = find(&state, &owner, delivery)?.clone();
    state.redeliver(&delivery);
    Ok(Reply::accepted())
}

/// Those who may not see them are told that there are none.
fn seen_hooks<'a>(state: &'a State, caller: &Caller, org: &str) -> Outcome<&'a [PlainHook]> {
    match caller {
        Caller::User { login, scopes }
            if state.is_member(org, login) && scopes.iter().any(|scope| scope == "admin:org_hook") =>
        {
            Ok(&state.organization(org)?.hooks)
        }
        _ => Err(Refusal::not_found()),
    }
}

fn owner_in_organization(state: &State, caller: &Caller, org: &str, hook: u64) -> Outcome<HookOwner> {
    let hooks = seen_hooks(state, caller, org)?;
    let hook = hooks.iter().find(|known| known.id == hook).ok_or_else(Refusal::not_found)?.id;
    Ok(HookOwner::Organization { organization: state.organization(org)?.id, hook })
}

fn owner(state: &State, spot: &Spot) -> Outcome<HookOwner> {
    let found = state.repository(&spot.repository)?;
    let hook = found.hooks.iter().find(|hook| hook.id == spot.number).ok_or_else(Refusal::not_found)?;
    Ok(HookOwner::Repository { repository: found.full_name(), hook: hook.id })
}

/// Newest first.
pub(super) fn of<'a>(state: &'a State, owner: &'a HookOwner) -> impl Iterator<Item = &'a Delivery> {
    state.deliveries.iter().rev().filter(move |delivery| delivery.owner == *owner)
}

pub(super) fn find<'a>(state: &'a State, owner: &'a HookOwner, id: u64) -> Outcome<&'a Delivery> {
    of(state, owner).find(|delivery| delivery.id == id).ok_or_else(Refusal::not_found)
}

/// `of` is the path of what it belongs to.
fn render(state: &State, kind: &str, of: &str, hook: &PlainHook) -> Value {
    let url = format!("{}/{of}/hooks/{}", state.api_url(), hook.id);
    json!({
        "type": kind, "id": hook.id, "name": "web", "active": hook.active, "events": hook.events,
        "config": { "url": hook.url, "content_type": "json", "insecure_ssl": "0", "secret": "********" },
        "url": url, "deliveries_url": format!("{url}/deliveries"),
        "created_at": stamp(hook.created_at), "updated_at": stamp(hook.created_at),
    })
}
