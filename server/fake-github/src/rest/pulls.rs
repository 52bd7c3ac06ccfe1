//! Pull requests, with what was reviewed and the reactions to that.

use axum::{
    extract::Query,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Caller, Input, Paging, Reply, Shared, Spot, caller::Need, contents, issues, issues::NewReaction,
};
use crate::{
    git,
    refusal::Refusal,
    world::{IssueChange, Outcome, PullChange, Role, Target, Thread},
};

const READ: Need = Need::read(&["pull_requests"]);

#[derive(Deserialize)]
pub(super) struct Filter {
    state: Option<String>,
    /// `OWNER:BRANCH`; anything else filters nothing, as at GitHub.
    head: Option<String>,
    base: Option<String>,
}

impl Filter {
    fn takes(&self, thread: &Thread) -> bool {
        let Some(pull) = &thread.pull else { return false };
        let state = self.state.as_deref().unwrap_or("open");
        let head = self.head.as_deref().and_then(|head| head.split_once(':'));
        (state == "all" || thread.open == (state == "open"))
            && self.base.as_ref().is_none_or(|base| *base == pull.base)
            && head.is_none_or(|(owner, branch)| {
                let (of, _) = pull.head_repository.split_once('/').unwrap_or_default();
                of.eq_ignore_ascii_case(owner) && pull.head_branch == branch
            })
    }
}

pub(super) async fn list(
    world: Shared,
    caller: Caller,
    spot: Spot,
    paging: Paging,
    Query(filter): Query<Filter>,
) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let threads = state.repository(&spot.repository)?.threads.values().rev();
    let pulls = threads
        .filter(|thread| filter.takes(thread))
        .map(|thread| state.render_pull(&spot.repository, thread.number))
        .collect::<Outcome<_>>()?;
    Ok(paging.list(pulls))
}

#[derive(Deserialize)]
pub(super) struct NewPull {
    #[serde(default)]
    title: String,
    body: Option<String>,
    #[serde(default)]
    head: String,
    #[serde(default)]
    base: String,
    #[serde(default)]
    draft: bool,
}

pub(super) async fn open(world: Shared, caller: Caller, spot: Spot, Input(new): Input<NewPull>) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, Need::write(&["pull_requests"], Role::Read))?;
    let author = caller.login(&state)?;
    for (field, value) in [("head", &new.head), ("base", &new.base)] {
        if value.is_empty() {
            return Err(Refusal::field("PullRequest", field, "missing_field"));
        }
    }
    let found = state.repository(&spot.repository)?;
    let (head_repository, head) = match new.head.split_once(':') {
        Some((owner, branch)) if !found.owner.eq_ignore_ascii_case(owner) => {
            let fork = state.repositories.values().find(|fork| {
                fork.owner.eq_ignore_ascii_case(owner) && fork.fork_of.as_ref() == Some(&found.full_name())
            });
            (fork.ok_or_else(|| Refusal::field("PullRequest", "head", "invalid"))?.full_name(), branch)
        }
        Some((_, branch)) => (found.full_name(), branch),
        None => (found.full_name(), new.head.as_str()),
    };
    let wanted = PullChange {
        author: &author,
        title: &new.title,
        body: new.body.as_deref().unwrap_or_default(),
        head_repository: &head_repository,
        head,
        base: &new.base,
        draft: new.draft,
    };
    let number = state.open_pull(&spot.repository, &wanted)?;
    state.render_pull(&spot.repository, number).map(Reply::created)
}

/// As JSON, or as a diff for who accepts that.
pub(super) async fn get(world: Shared, caller: Caller, spot: Spot, headers: HeaderMap) -> Outcome<Response> {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let pull = state.pull(&spot.repository, spot.number)?;
    if contents::wants(&headers, "diff") {
        let bare = state.bare(&spot.repository);
        let from = git::merge_base(&bare, &pull.base_sha, &pull.head_sha).unwrap_or_default();
        let diff = git::diff(&bare, &from, &pull.head_sha);
        return Ok(
            ([(header::CONTENT_TYPE, "application/vnd.github.diff; charset=utf-8")], diff).into_response()
        );
    }
    Ok(Reply::ok(state.render_pull(&spot.repository, spot.number)?).into_response())
}

#[derive(Deserialize)]
pub(super) struct Changes {
    base: Option<String>,
    #[serde(flatten)]
    rest: IssueChange,
}

pub(super) async fn change(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(changes): Input<Changes>,
) -> Answer {
    let mut state = world.lock();
    let by = caller.login(&state)?;
    state.pull(&spot.repository, spot.number)?;
    let own = state.thread(&spot.repository, spot.number)?.author == by;
    let role = if own { Role::Read } else { Role::Write };
    caller.may(&state, &spot.repository, Need::write(&["pull_requests"], role))?;
    state.change_pull(&spot.repository, spot.number, changes.base, changes.rest, &by)?;
    state.render_pull(&spot.repository, spot.number).map(Reply::ok)
}

pub(super) async fn merge(world: Shared, caller: Caller, spot: Spot) -> Answer {
    let mut state = world.lock();
    caller.may(&state, &spot.repository, Need::write(&["contents"], Role::Write))?;
    let by = caller.login(&state)?;
    let sha = state.merge_pull(&spot.repository, spot.number, &by)?;
    Ok(Reply::ok(json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" })))
}

pub(super) async fn files(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let pull = state.pull(&spot.repository, spot.number)?;
    let bare = state.bare(&spot.repository);
    let from = git::merge_base(&bare, &pull.base_sha, &pull.head_sha).unwrap_or_default();
    Ok(paging.list(contents::files(&bare, &from, &pull.head_sha)))
}

pub(super) async fn commits(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let pull = state.pull(&spot.repository, spot.number)?;
    let range = format!("{}..{}", pull.base_sha, pull.head_sha);
    let commits = git::commits(&state.bare(&spot.repository), &range);
    Ok(paging.list(
        commits.iter().map(|commit| contents::render_commit(&state, &spot.repository, commit)).collect(),
    ))
}

pub(super) async fn comments(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let comments = &state.pull(&spot.repository, spot.number)?.review_comments;
    let render = |comment| state.render_review_comment(&spot.repository, spot.number, comment);
    Ok(paging.list(comments.iter().map(render).collect()))
}

/// Here the state is written in capitals, unlike in the webhook.
pub(super) async fn reviews(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let reviews = state.pull(&spot.repository, spot.number)?.reviews.iter();
    let rendered: Vec<Value> = reviews
        .map(|review| {
            let mut rendered = state.render_review(&spot.repository, spot.number, review);
            rendered["state"] = json!(review.state.to_uppercase());
            rendered
        })
        .collect();
    Ok(paging.list(rendered))
}

pub(super) async fn comment_reactions(world: Shared, caller: Caller, spot: Spot, paging: Paging) -> Answer {
    issues::list_reactions(&world, &caller, &spot, Target::ReviewComment(spot.number), &paging)
}

pub(super) async fn react(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Input(new): Input<NewReaction>,
) -> Answer {
    issues::add_reaction(&world, &caller, &spot, Target::ReviewComment(spot.number), &new)
}
