//! An issue or a pull request: what was said, its checks and commits, and forms to go on with.

use std::{cmp::Reverse, sync::Arc};

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    clock, markdown, page, redirect,
    repository::{kind, short, state as state_of},
    speaker,
};
use crate::{
    git,
    world::{Outcome, Progress, Pull, Reaction, State as Known, Thread, World},
};

type Place = Path<(String, String, u64)>;

pub(super) async fn show(State(world): State<Arc<World>>, Path((owner, name, number)): Place) -> Response {
    render(&world.lock(), &format!("{owner}/{name}"), number)
        .unwrap_or_else(|refusal| refusal.into_response())
}

fn render(state: &Known, repository: &str, number: u64) -> Outcome<Response> {
    let thread = state.thread(repository, number)?;
    let action = |what: &str| format!("/{repository}/threads/{number}/{what}");
    let (word, wanted) = if thread.open { ("Close", "closed") } else { ("Reopen", "open") };
    let content = html! {
        p class="dim" {
            a href={ "/" (repository) } { (repository) } " · " (state_of(thread)) " · opened by " (thread.author)
            @if !thread.assignees.is_empty() { " · for " (thread.assignees.join(", ")) }
            @for label in &thread.labels { " " span class="label" { (label) } }
        }
        @if let Some(pull) = &thread.pull {
            p {
                code { (pull.head_repository) ":" (pull.head_branch) } " into " code { (pull.base) } " · "
                a href={ "/" (repository) "/pull/" (number) "/files" } { "Files changed" }
            }
        }
        (said(&thread.author, thread.created_at, "", &thread.body, &thread.reactions))
        @for (_, remark) in remarks(thread) { (remark) }
        @if let Some(pull) = &thread.pull { (checks(state, repository, pull)) (commits(state, repository, pull)) }
        h2 { "Comment" }
        form method="post" action=(action("comments")) {
            textarea name="body" aria-label="Comment" required {}
            (speaker(state))
            button { "Comment" }
        }
        div class="row" {
            @if thread.pull.as_ref().is_none_or(|pull| pull.merged_at.is_none()) {
                form method="post" action=(action("state")) {
                    (speaker(state))
                    button class="quiet" name="state" value=(wanted) { (word) }
                }
            }
            @if thread.open && thread.pull.is_some() {
                form method="post" action=(action("merge")) { (speaker(state)) button class="quiet" { "Merge" } }
                form method="post" action=(action("failed-check")) { button class="quiet" { "Fail a check" } }
            }
        }
    };
    Ok(page(&format!("{} #{number}", thread.title), &content))
}

/// Comments and reviews in the order of their times.
fn remarks(thread: &Thread) -> Vec<(DateTime<Utc>, Markup)> {
    let comments = thread.comments.iter().map(|comment| {
        let edited = if comment.edits > 0 { "edited" } else { "" };
        let said = said(&comment.author, comment.created_at, edited, &comment.body, &comment.reactions);
        (comment.created_at, html! { div id={ "issuecomment-" (comment.id) } { (said) } })
    });
    let reviews = thread.pull.iter().flat_map(|pull| &pull.reviews).map(|review| {
        let state = review.state.replace('_', " ");
        (review.submitted_at, said(&review.author, review.submitted_at, &state, &review.body, &[]))
    });
    let lines = thread.pull.iter().flat_map(|pull| &pull.review_comments).map(|comment| {
        let at = format!("at {}", comment.path);
        (
            comment.created_at,
            said(&comment.author, comment.created_at, &at, &comment.body, &comment.reactions),
        )
    });
    let mut remarks: Vec<_> = comments.chain(reviews).chain(lines).collect();
    remarks.sort_by_key(|(time, _)| *time);
    remarks
}

fn said(author: &str, time: DateTime<Utc>, note: &str, body: &str, reactions: &[Reaction]) -> Markup {
    html! {
        article {
            p { b { (author) } span class="dim" { " · " (clock(time)) @if !note.is_empty() { " · " (note) } } }
            div { @if body.is_empty() { p class="dim" { "No description." } } @else { (markdown::render(body)) } }
            @if !reactions.is_empty() {
                div class="dim" {
                    @for reaction in reactions { span class="label" { (reaction.content) " " (reaction.user) } " " }
                }
            }
        }
    }
}

fn checks(state: &Known, repository: &str, pull: &Pull) -> Markup {
    let Ok(found) = state.repository(repository) else { return html! {} };
    let mut checks: Vec<_> = found.checks.iter().filter(|check| check.head_sha == pull.head_sha).collect();
    checks.sort_by_key(|check| Reverse(check.id));
    html! {
        @if !checks.is_empty() {
            h2 { "Checks" }
            ul class="list" {
                @for check in checks {
                    li {
                        b { (check.name) }
                        span { (check.title.as_deref().unwrap_or_default()) }
                        @if let Some(address) = check.details_url.as_deref().filter(|url| url.starts_with("http")) {
                            a href=(address) { "Details" }
                        }
                        span class="dim" { (check.conclusion.as_deref().unwrap_or(&check.status).replace('_', " ")) }
                    }
                }
            }
        }
    }
}

fn commits(state: &Known, repository: &str, pull: &Pull) -> Markup {
    let range = format!("{}..{}", pull.base_sha, pull.head_sha);
    html! {
        h2 { "Commits" }
        ul class="list" {
            @for commit in git::commits(&state.bare(repository), &range) {
                li {
                    code { (short(&commit.sha)) }
                    span { (commit.message.lines().next().unwrap_or_default()) }
                    span class="dim" { (commit.name) }
                }
            }
        }
    }
}

pub(super) async fn files(State(world): State<Arc<World>>, Path((owner, name, number)): Place) -> Response {
    render_files(&world.lock(), &format!("{owner}/{name}"), number)
        .unwrap_or_else(|refusal| refusal.into_response())
}

fn render_files(state: &Known, repository: &str, number: u64) -> Outcome<Response> {
    let pull = state.pull(repository, number)?;
    let bare = state.bare(repository);
    let from =
        git::merge_base(&bare, &pull.base_sha, &pull.head_sha).unwrap_or_else(|| pull.base_sha.clone());
    let class = |line: &str| match line.as_bytes().first() {
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "dim",
        _ => "",
    };
    let content = html! {
        p { a href={ "/" (repository) "/pull/" (number) } { "Back to the conversation" } }
        @for file in git::file_changes(&bare, &from, &pull.head_sha) {
            h2 { (file.path) " " span class="dim" { (file.status) " +" (file.additions) " −" (file.deletions) } }
            pre class="diff" { @for line in file.patch.lines() { span class=(class(line)) { (line) } } }
        }
    };
    Ok(page(&format!("Files changed in #{number}"), &content))
}

#[derive(Deserialize)]
pub(super) struct NewComment {
    body: String,
    author: String,
}

pub(super) async fn comment(
    State(world): State<Arc<World>>,
    Path((owner, name, number)): Place,
    Form(new): Form<NewComment>,
) -> Response {
    let repository = format!("{owner}/{name}");
    let mut state = world.lock();
    let done = state.comment(&repository, number, &new.author, &new.body);
    back(&state, &repository, number, done.map(drop))
}

#[derive(Deserialize)]
pub(super) struct NewState {
    state: String,
    author: String,
}

pub(super) async fn change_state(
    State(world): State<Arc<World>>,
    Path((owner, name, number)): Place,
    Form(new): Form<NewState>,
) -> Response {
    let repository = format!("{owner}/{name}");
    let mut state = world.lock();
    let progress = if new.state == "open" { Progress::Open } else { Progress::Closed };
    let done = state.set_progress(&repository, number, progress, &new.author);
    back(&state, &repository, number, done)
}

#[derive(Deserialize)]
pub(super) struct Merger {
    author: String,
}

pub(super) async fn merge(
    State(world): State<Arc<World>>,
    Path((owner, name, number)): Place,
    Form(by): Form<Merger>,
) -> Response {
    let repository = format!("{owner}/{name}");
    let mut state = world.lock();
    let done = state.merge_pull(&repository, number, &by.author);
    back(&state, &repository, number, done.map(drop))
}

/// Lets a check of the latest commit fail, as if some other app had run the tests.
pub(super) async fn fail_check(
    State(world): State<Arc<World>>,
    Path((owner, name, number)): Place,
) -> Response {
    let repository = format!("{owner}/{name}");
    let head = world.lock().pull(&repository, number).map(|pull| pull.head_sha.clone());
    let done = head.map(|head| {
        world.complete_check(&repository, &head, "test", "failure", "github-actions");
    });
    back(&world.lock(), &repository, number, done)
}

fn back(state: &Known, repository: &str, number: u64, done: Outcome<()>) -> Response {
    match done.and_then(|()| state.thread(repository, number)) {
        Ok(thread) => redirect(&format!("/{repository}/{}/{number}", kind(thread))),
        Err(refusal) => refusal.into_response(),
    }
}
