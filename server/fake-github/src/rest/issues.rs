//! Issues, the comments under them and under pull requests, labels, reactions.

use axum::extract::Query;
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Caller, Input, Paging, Reply, Shared, Spot, caller::Need};
use crate::{
    refusal::Refusal,
    world::{IssueChange, Outcome, Role, State, Target},
};

/// For what lies under a pull request either permission will do.
const READ: Need = Need::read(&["issues", "pull_requests"]);
/// Whoever can read may speak.
const SPEAK: Need = Need::write(&["issues", "pull_requests"], Role::Read);
const TRIAGE: Need = Need::write(&["issues", "pull_requests"], Role::Triage);

#[derive(Deserialize)]
pub(super) struct Filter {
    state: Option<String>,
    labels: Option<String>,
}

/// Issues and pull requests, newest first, open ones unless asked otherwise.
pub(super) async fn list(
    world: Shared,
    caller: Caller,
    spot: Spot,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let wanted = filter.state.as_deref().unwrap_or("open");
    let labels: Vec<&str> =
        filter.labels.as_deref().map(|labels| labels.split(',').collect()).unwrap_or_default();
    let threads = state.repository(&spot.repository)?.threads.values().rev();
    let issues = threads
        .filter(|thread| wanted == "all" || thread.open == (wanted == "open"))
        .filter(|thread| labels.iter().all(|label| thread.labels.iter().any(|given| given == label)))
        .map(|thread| state.render_issue(&spot.repository, thread.number))
        .collect::<Outcome<_>>()?;
    Ok(paging.list(issues))
}

#[derive(Deserialize)]
pub(super) struct NewIssue {
    #[serde(default)]
    title: String,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    assignees: Vec<String>,
}

pub(super) async fn open(world: Shared, caller: Caller, spot: Spot, Input(new): Input<NewIssue>) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, Need::write(&["issues"], Role::Read))?;
    let by = caller.login(&state)?;
    let number =
        state.open_issue(&spot.repository, &by, &new.title, new.body.as_deref().unwrap_or_default())?;
    for label in &new.labels {
        state.label(&spot.repository, number, label, &by)?;
    }
    for assignee in &new.assignees {
        state.assign(&spot.repository, number, assignee, &by)?;
    }
    state.render_issue(&spot.repository, number).map(Reply::created)
}

pub(super) async fn get(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    state.render_issue(&spot.repository, spot.number).map(Reply::ok)
}

pub(super) async fn change(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(change): Input<IssueChange>,
) -> Answer {
    let mut state = world.lock();
    let by = may_change(&state, &caller, &spot)?;
    state.change_issue(&spot.repository, spot.number, change, &by)?;
    state.render_issue(&spot.repository, spot.number).map(Reply::ok)
}

/// Its author, or who may triage.
fn may_change(state: &State, caller: &Caller, spot: &Spot) -> Outcome<String> {
    let by = caller.login(state)?;
    let own = state.thread(&spot.repository, spot.number)?.author == by;
    caller.may(state, &spot.repository, if own { SPEAK } else { TRIAGE })?;
    Ok(by)
}

pub(super) async fn comments(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let thread = state.thread(&spot.repository, spot.number)?;
    let comments = thread.comments.iter();
    Ok(paging.list(
        comments.map(|comment| state.render_comment(&spot.repository, thread.number, comment)).collect(),
    ))
}

#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    body: String,
}

pub(super) async fn comment(world: Shared, caller: Caller, spot: Spot, Input(new): Input<Body>) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, SPEAK)?;
    let by = caller.login(&state)?;
    let id = state.comment(&spot.repository, spot.number, &by, &new.body)?;
    render_comment(&state, &spot.repository, id).map(Reply::created)
}

pub(super) async fn get_comment(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    render_comment(&state, &spot.repository, spot.number).map(Reply::ok)
}

pub(super) async fn edit_comment(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<Body>,
) -> Answer {
    let mut state = world.lock();
    let by = may_edit(&state, &caller, &spot)?;
    state.edit_comment(&spot.repository, spot.number, &by, &new.body)?;
    render_comment(&state, &spot.repository, spot.number).map(Reply::ok)
}

pub(super) async fn delete_comment(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let mut state = world.lock();
    let by = may_edit(&state, &caller, &spot)?;
    state.delete_comment(&spot.repository, spot.number, &by)?;
    Ok(Reply::nothing())
}

/// Its author, or who may write.
fn may_edit(state: &State, caller: &Caller, spot: &Spot) -> Outcome<String> {
    let by = caller.login(state)?;
    let (_, comment) = state.find_comment(&spot.repository, spot.number)?;
    let need =
        if comment.author == by { SPEAK } else { Need::write(&["issues", "pull_requests"], Role::Write) };
    caller.may(state, &spot.repository, need)?;
    Ok(by)
}

fn render_comment(state: &State, repository: &str, id: u64) -> Outcome<Value> {
    let (number, comment) = state.find_comment(repository, id)?;
    Ok(state.render_comment(repository, number, comment))
}

pub(super) async fn labels(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    Ok(paging.list(thread_labels(&state, &spot)?))
}

#[derive(Deserialize)]
pub(super) struct Labels {
    labels: Vec<String>,
}

pub(super) async fn add_labels(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<Labels>,
) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, TRIAGE)?;
    let by = caller.login(&state)?;
    for label in &new.labels {
        state.label(&spot.repository, spot.number, label, &by)?;
    }
    thread_labels(&state, &spot).map(|labels| Reply::ok(Value::Array(labels)))
}

fn thread_labels(state: &State, spot: &Spot) -> Outcome<Vec<Value>> {
    let labels = &state.thread(&spot.repository, spot.number)?.labels;
    Ok(labels.iter().map(|label| state.render_label(label)).collect())
}

#[derive(Deserialize)]
pub(super) struct NewReaction {
    #[serde(default)]
    content: String,
}

pub(super) async fn reactions(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    list_reactions(&world, &caller, &spot, Target::Thread(spot.number), &paging)
}

pub(super) async fn react(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<NewReaction>,
) -> Answer {
    add_reaction(&world, &caller, &spot, Target::Thread(spot.number), &new)
}

pub(super) async fn comment_reactions(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    list_reactions(&world, &caller, &spot, Target::Comment(spot.number), &paging)
}

pub(super) async fn react_to_comment(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<NewReaction>,
) -> Answer {
    add_reaction(&world, &caller, &spot, Target::Comment(spot.number), &new)
}

pub(super) fn list_reactions(
    world: &Shared,
    caller: &Caller,
    spot: &Spot,
    target: Target,
    paging: &Paging,
) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let reactions = state.reactions_mut(&spot.repository, target)?.clone();
    Ok(paging.list(reactions.iter().map(|reaction| state.render_reaction(reaction)).collect()))
}

/// 201 where it is new and 200 where it was there.
pub(super) fn add_reaction(
    world: &Shared,
    caller: &Caller,
    spot: &Spot,
    target: Target,
    new: &NewReaction,
) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, SPEAK)?;
    let by = caller.login(&state)?;
    if new.content.is_empty() {
        return Err(Refusal::field("Reaction", "content", "missing_field"));
    }
    let (reaction, fresh) = state.react(&spot.repository, target, &by, &new.content)?;
    let body = state.render_reaction(&reaction);
    Ok(if fresh { Reply::created(body) } else { Reply::ok(body) })
}
