//! Check runs; only apps write them.

use axum::extract::{Path, Query};
use serde::Deserialize;

use super::{Answer, Caller, Input, Paging, Reply, Shared, Spot, caller::Need};
use crate::{
    git,
    refusal::Refusal,
    world::{CheckChange, Outcome, Role, State},
};

const READ: Need = Need::read(&["checks"]);

/// The app's slug and its bot's login.
fn writer(state: &State, caller: &Caller, repository: &str) -> Outcome<(String, String)> {
    caller.may(state, repository, Need::write(&["checks"], Role::Read))?;
    let Caller::Installation(_) = caller else {
        return Err(Refusal::forbidden("You must authenticate via a GitHub App."));
    };
    let bot = caller.login(state)?;
    Ok((bot.trim_end_matches("[bot]").to_owned(), bot))
}

pub(super) async fn create(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<CheckChange>,
) -> Answer {
    let mut state = world.lock();
    let (slug, bot) = writer(&state, &caller, &spot.repository)?;
    if let Some(sha) = &new.head_sha
        && git::resolve(&state.bare(&spot.repository), sha).is_none()
    {
        return Err(Refusal::unprocessable(&format!("No commit found for SHA: {sha}")));
    }
    let id = state.create_check(&spot.repository, &slug, &bot, new)?;
    Ok(Reply::created(state.render_check(&spot.repository, state.check(&spot.repository, id)?)))
}

pub(super) async fn change(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(change): Input<CheckChange>,
) -> Answer {
    let mut state = world.lock();
    let (slug, bot) = writer(&state, &caller, &spot.repository)?;
    if state.check(&spot.repository, spot.number)?.app_slug != slug {
        return Err(Refusal::forbidden(
            "Invalid app_id - check run can only be modified by the GitHub App that created it.",
        ));
    }
    state.change_check(&spot.repository, spot.number, &bot, change)?;
    Ok(Reply::ok(state.render_check(&spot.repository, state.check(&spot.repository, spot.number)?)))
}

pub(super) async fn get(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    Ok(Reply::ok(state.render_check(&spot.repository, state.check(&spot.repository, spot.number)?)))
}

pub(super) async fn annotations(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    Ok(paging.list(state.check(&spot.repository, spot.number)?.annotations.clone()))
}

#[derive(Deserialize)]
pub(super) struct Reference {
    reference: String,
}

#[derive(Deserialize)]
pub(super) struct Filter {
    check_name: Option<String>,
    status: Option<String>,
    /// `latest`, which is also the default, or `all`.
    filter: Option<String>,
    app_id: Option<u64>,
}

pub(super) async fn of_commit(
    world: Shared,
    caller: Caller,
    spot: Spot,
    paging: Paging,
    Path(Reference { reference }): Path<Reference>,
    Query(filter): Query<Filter>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let sha = git::resolve(&state.bare(&spot.repository), &reference)
        .ok_or_else(|| Refusal::unprocessable(&format!("No commit found for SHA: {reference}")))?;
    let checks = &state.repository(&spot.repository)?.checks;
    let found: Vec<_> = checks
        .iter()
        .filter(|check| check.head_sha == sha)
        .filter(|check| filter.check_name.as_ref().is_none_or(|name| *name == check.name))
        .filter(|check| filter.status.as_ref().is_none_or(|status| *status == check.status))
        .filter(|check| filter.app_id.is_none_or(|id| id == check.app_id))
        .collect();
    let all = filter.filter.as_deref() == Some("all");
    let newest = |index: usize| {
        let check = found[index];
        !found[index + 1..].iter().any(|later| later.name == check.name && later.app_slug == check.app_slug)
    };
    let rendered = (0..found.len())
        .filter(|&index| all || newest(index))
        .map(|index| state.render_check(&spot.repository, found[index]))
        .collect();
    Ok(paging.counted("check_runs", rendered))
}
