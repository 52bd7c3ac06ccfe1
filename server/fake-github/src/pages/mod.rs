//! The pages on which a person tries it all.

mod markdown;
mod repository;
mod thread;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::world::{State as Known, World};

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/", get(home))
        .route("/{owner}/{name}", get(repository::show))
        .route("/{owner}/{name}/issues", post(repository::open_issue))
        .route("/{owner}/{name}/issues/{number}", get(thread::show))
        .route("/{owner}/{name}/pull/{number}", get(thread::show))
        .route("/{owner}/{name}/pull/{number}/files", get(thread::files))
        .route("/{owner}/{name}/threads/{number}/comments", post(thread::comment))
        .route("/{owner}/{name}/threads/{number}/state", post(thread::change_state))
        .route("/{owner}/{name}/threads/{number}/merge", post(thread::merge))
        .route("/{owner}/{name}/threads/{number}/failed-check", post(thread::fail_check))
}

async fn home(State(world): State<Arc<World>>) -> Response {
    let state = world.lock();
    let content = html! {
        ul class="list" {
            @for repository in state.repositories.values() {
                @let name = repository.full_name();
                li {
                    a href={ "/" (name) } { (name) }
                    span class="dim" {
                        (repository.threads.values().filter(|thread| thread.open).count()) " open"
                        @if let Some(parent) = &repository.fork_of { " · fork of " (parent) }
                        @if repository.private { " · private" }
                    }
                }
            }
        }
        @if !state.apps.is_empty() {
            h2 { "Apps" }
            ul class="list" { @for app in &state.apps { li { a href={ "/apps/" (app.slug) } { (app.name) } } } }
        }
        @if !state.deliveries.is_empty() {
            h2 { "Webhooks sent last" }
            ul class="list" {
                @for delivery in state.deliveries.iter().rev().take(15) {
                    li {
                        code { (delivery.event) @if let Some(action) = &delivery.action { "." (action) } }
                        span class="dim" { (delivery.status_code) " · " (clock(delivery.delivered_at)) }
                    }
                }
            }
        }
    };
    page("Repositories", &content)
}

/// A whole page around this.
pub(crate) fn page(title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Fake GitHub" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header { a href="/" { "Fake GitHub" } " " span class="dim" { "nothing here leaves this machine" } }
                main { h1 { (title) } (content) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// On to another page, by GET.
pub(crate) fn redirect(address: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, address.to_owned())]).into_response()
}

fn clock(time: chrono::DateTime<chrono::Utc>) -> Markup {
    html! { time datetime=(crate::world::stamp(time)) { (time.format("%d %b %H:%M")) } }
}

/// Under whose name a form is sent.
fn speaker(state: &Known) -> Markup {
    html! {
        label { "As " select name="author" { @for user in state.users() { option { (user.login) } } } }
    }
}
