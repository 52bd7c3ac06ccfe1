//! Repositories: what they are, who may do what, their branches and labels.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Caller, Input, Paging, Reply, Shared, Spot, caller::Need};
use crate::{
    git,
    refusal::Refusal,
    world::{Role, World},
};

const METADATA: Need = Need::read(&["metadata"]);

/// Leads who asks for a repository by an earlier name to its present one.
pub(super) async fn lead_on(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let place = {
        let state = world.lock();
        let mut parts = request.uri().path().splitn(5, '/').skip(1);
        let name = match (parts.next(), parts.next(), parts.next()) {
            (Some("repos"), Some(owner), Some(name)) => format!("{owner}/{name}").to_lowercase(),
            _ => String::new(),
        };
        let rest = parts.next().map(|rest| format!("/{rest}")).unwrap_or_default();
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let now = state.renamed.get(&name).filter(|_| !state.repositories.contains_key(&name));
        now.map(|now| format!("{}/repos/{now}{rest}{query}", state.api_url()))
    };
    let Some(place) = place else { return next.run(request).await };
    let status = match *request.method() {
        Method::GET => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::TEMPORARY_REDIRECT,
    };
    (status, [(header::LOCATION, place)]).into_response()
}

pub(super) async fn get(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, METADATA)?;
    let role = caller.role(&state, &spot.repository);
    Ok(Reply::ok(state.render_repository_for(&spot.repository, role)))
}

#[derive(Deserialize)]
pub(super) struct Collaborator {
    login: String,
}

/// Only those who may push may ask this; a stranger reads what is public.
pub(super) async fn permission(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Collaborator { login }): Path<Collaborator>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, METADATA)?;
    match &caller {
        Caller::User { login, .. } if state.role(&spot.repository, login) < Role::Write => {
            return Err(Refusal::forbidden("Must have push access to view collaborator permission."));
        }
        Caller::Anonymous => return Err(Refusal::unauthorized("Requires authentication")),
        Caller::Installation(token)
            if !token.repositories.iter().any(|name| name.eq_ignore_ascii_case(&spot.repository)) =>
        {
            return Err(Refusal::not_for_integration());
        }
        _ => {}
    }
    let user = state
        .account(&login)
        .map_err(|_| Refusal::new(StatusCode::NOT_FOUND, format!("{login} is not a user")))?;
    let role = state.role(&spot.repository, &user.login);
    Ok(Reply::ok(json!({
        "permission": role.as_permission(), "role_name": role.as_str(), "user": state.render_user(&login),
    })))
}

#[derive(Deserialize)]
pub(super) struct Branch {
    branch: String,
}

pub(super) async fn branch(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Branch { branch }): Path<Branch>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, Need::read(&["contents"]))?;
    let sha = git::resolve(&state.bare(&spot.repository), &format!("refs/heads/{branch}"));
    let sha = sha.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Branch not found"))?;
    Ok(Reply::ok(json!({ "name": branch, "commit": { "sha": sha }, "protected": false })))
}

pub(super) async fn labels(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, METADATA)?;
    let labels = &state.repository(&spot.repository)?.labels;
    Ok(paging.list(labels.iter().map(|label| state.render_label(label)).collect()))
}

#[derive(Deserialize)]
pub(super) struct NewLabel {
    name: String,
}

pub(super) async fn add_label(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(NewLabel { name }): Input<NewLabel>,
) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, Need::write(&["issues", "pull_requests"], Role::Write))?;
    if !state.repository_mut(&spot.repository)?.labels.insert(name.clone()) {
        return Err(Refusal::field("Label", "name", "already_exists"));
    }
    Ok(Reply::created(state.render_label(&name)))
}
