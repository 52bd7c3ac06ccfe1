//! People, and which organisations and teams they are in.

use axum::{
    extract::Path,
    http::{HeaderName, StatusCode},
};
use serde_json::json;

use super::{Answer, Caller, Paging, Reply, Shared};
use crate::{refusal::Refusal, world::Outcome};

/// Who the token is for, with its scopes in a header.
pub(super) async fn me(
    world: Shared,
    caller: Caller,
) -> Outcome<([(HeaderName, String); 1], axum::Json<serde_json::Value>)> {
    let login = caller.user()?.to_owned();
    let Caller::User { scopes, .. } = caller else { return Err(Refusal::not_for_integration()) };
    let mut user = world.lock().render_user(&login);
    user["name"] = json!(login);
    user["email"] = json!(format!("{login}@users.noreply.localhost"));
    Ok(([(HeaderName::from_static("x-oauth-scopes"), scopes.join(", "))], axum::Json(user)))
}

pub(super) async fn get(world: Shared, Path(login): Path<String>) -> Answer {
    let state = world.lock();
    let mut user = state.render_user(&state.account(&login)?.login);
    user["name"] = json!(login);
    Ok(Reply::ok(user))
}

pub(super) async fn my_orgs(world: Shared, caller: Caller, paging: Paging) -> Answer {
    let login = caller.user()?;
    let state = world.lock();
    let mine = state.accounts.values().filter(|account| state.is_member(&account.login, login));
    let orgs = mine.map(|org| json!({ "login": org.login, "id": org.id, "description": null })).collect();
    Ok(paging.list(orgs))
}

pub(super) async fn my_membership(world: Shared, caller: Caller, Path(org): Path<String>) -> Answer {
    let login = caller.user()?;
    let state = world.lock();
    if !state.is_member(&org, login) {
        return Err(Refusal::not_found());
    }
    let org = state.organization(&org)?;
    Ok(Reply::ok(json!({
        "state": "active", "role": "member", "user": state.render_user(login),
        "organization": { "login": org.login, "id": org.id },
    })))
}

/// 204 for a member and 404 for anybody else, to those who may know.
pub(super) async fn is_member(
    world: Shared,
    caller: Caller,
    Path((org, login)): Path<(String, String)>,
) -> Answer {
    let state = world.lock();
    state.organization(&org)?;
    match &caller {
        Caller::Installation(token) if !token.may("members", crate::world::Access::Read) => {
            return Err(Refusal::not_for_integration());
        }
        Caller::Anonymous => return Err(Refusal::not_found()),
        // GitHub leads who is not a member themselves to the public members, of which there are none here.
        Caller::User { login, .. } if !state.is_member(&org, login) => return Err(Refusal::not_found()),
        _ => {}
    }
    if state.is_member(&org, &login) { Ok(Reply::nothing()) } else { Err(Refusal::not_found()) }
}

pub(super) async fn team_membership(
    world: Shared,
    caller: Caller,
    Path((org, slug, login)): Path<(String, String, String)>,
) -> Answer {
    let state = world.lock();
    match &caller {
        Caller::Installation(token) if !token.may("members", crate::world::Access::Read) => {
            return Err(Refusal::not_for_integration());
        }
        Caller::User { login, .. } if !state.is_member(&org, login) => return Err(Refusal::not_found()),
        Caller::Anonymous => return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Requires authentication")),
        _ => {}
    }
    let team = state.organization(&org)?.teams.get(&slug).ok_or_else(Refusal::not_found)?;
    if !team.iter().any(|member| member.eq_ignore_ascii_case(&login)) {
        return Err(Refusal::not_found());
    }
    let url = format!("{}/orgs/{org}/teams/{slug}/memberships/{login}", state.api_url());
    Ok(Reply::ok(json!({ "state": "active", "role": "member", "url": url })))
}
