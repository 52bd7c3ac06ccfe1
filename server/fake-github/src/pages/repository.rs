//! A repository: its issues and pull requests, and a form for a new issue.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{clock, page, redirect, speaker};
use crate::{
    git,
    world::{Outcome, Thread, World},
};

pub(super) async fn show(
    State(world): State<Arc<World>>,
    Path((owner, name)): Path<(String, String)>,
) -> Response {
    render(&world, &format!("{owner}/{name}")).unwrap_or_else(|refusal| refusal.into_response())
}

fn render(world: &World, name: &str) -> Outcome<Response> {
    let state = world.lock();
    let found = state.repository(name)?;
    let name = found.full_name();
    let (pulls, issues): (Vec<_>, Vec<_>) =
        found.threads.values().rev().partition(|thread| thread.pull.is_some());
    let content = html! {
        p { code { "git clone " (state.url) "/" (name) ".git" } }
        (list("Issues", &name, &issues))
        (list("Pull requests", &name, &pulls))
        h2 { "Branches" }
        ul class="list" {
            @for (branch, sha) in git::branches(&state.bare(&name)) { li { code { (branch) } code class="dim" { (short(&sha)) } } }
        }
        h2 { "New issue" }
        form method="post" action={ "/" (name) "/issues" } {
            label { "Title " input name="title" required; }
            label { "What it is about " textarea name="body" {} }
            (speaker(&state))
            button { "Open issue" }
        }
    };
    Ok(page(&name, &content))
}

fn list(title: &str, repository: &str, threads: &[&Thread]) -> Markup {
    html! {
        h2 { (title) }
        @if threads.is_empty() { p class="dim" { "None yet." } } @else {
            ul class="list" {
                @for thread in threads {
                    li {
                        span class="dim" { "#" (thread.number) " " (state(thread)) }
                        a href={ "/" (repository) "/" (kind(thread)) "/" (thread.number) } { (thread.title) }
                        @for label in &thread.labels { span class="label" { (label) } }
                        span class="dim" { (thread.author) " · " (clock(thread.updated_at)) }
                    }
                }
            }
        }
    }
}

/// The part of its address that says what it is.
pub(super) fn kind(thread: &Thread) -> &'static str {
    if thread.pull.is_some() { "pull" } else { "issues" }
}

pub(super) fn state(thread: &Thread) -> &'static str {
    match &thread.pull {
        Some(pull) if pull.merged_at.is_some() => "merged",
        Some(pull) if thread.open && pull.draft => "draft",
        _ if thread.open => "open",
        _ => "closed",
    }
}

pub(super) fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

#[derive(Deserialize)]
pub(super) struct NewIssue {
    title: String,
    body: String,
    author: String,
}

pub(super) async fn open_issue(
    State(world): State<Arc<World>>,
    Path((owner, name)): Path<(String, String)>,
    Form(new): Form<NewIssue>,
) -> Response {
    let repository = format!("{owner}/{name}");
    let opened = world.lock().open_issue(&repository, &new.author, &new.title, &new.body);
    match opened {
        Ok(number) => redirect(&format!("/{repository}/issues/{number}")),
        Err(refusal) => refusal.into_response(),
    }
}
