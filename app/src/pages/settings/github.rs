//! The connection to GitHub: the App, and where it is installed.

use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
};
use server_fn::ServerFn;

use crate::{
    api::{DisconnectGithub, RefreshGithub},
    model::{ApiError, GitHubApp, GitHubConnection, Installation},
};

pub fn github(connection: Result<GitHubConnection, ApiError>) -> impl IntoView {
    let place = connection.as_ref().map(|connection| host(&connection.url)).unwrap_or_default();
    let content = match connection {
        Ok(GitHubConnection { app: Some(app), installations, .. }) => {
            EitherOf3::A(connected(app, installations))
        }
        Ok(connection) => EitherOf3::B(not_connected(connection.has_token)),
        Err(error) => EitherOf3::C(broken(&error)),
    };
    view! {
        <section class="panel" aria-labelledby="github-title">
            <header class="panel-head">
                <h2 id="github-title">"GitHub"</h2>
                <span class="panel-note">{place}</span>
            </header>
            <div id="github" data-part="" tabindex="-1">{content}</div>
        </section>
    }
}

fn host(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, host)| host).to_owned()
}

fn not_connected(has_token: bool) -> impl IntoView {
    let text = if has_token {
        "Millrace works with the token in its settings. An App is better: people can sign in, and tokens last an hour."
    } else {
        "Connected to GitHub, a comment there becomes a job, and a job becomes a pull request."
    };
    view! {
        <div class="panel-empty">
            <p>{text}</p>
            <p><a class="button" data-kind="primary" href="/settings/github">"Connect GitHub"</a></p>
        </div>
    }
}

/// What is known of the App is no use: it can be forgotten.
fn broken(error: &ApiError) -> impl IntoView + use<> {
    view! {
        <div class="setting setting-actions">
            <p class="setting-error">{error.to_string()}</p>
            {disconnect(None)}
        </div>
    }
}

fn disconnect(page: Option<String>) -> impl IntoView {
    let page = page.map_or_else(
        || Either::Left("its page"),
        |address| Either::Right(view! { <a class="link" href=address>"its page"</a> }),
    );
    view! {
        <details class="menu">
            <summary class="button">"Disconnect"</summary>
            <form class="menu-list menu-form" method="post" action=DisconnectGithub::url() data-live="">
                <p>
                    "Comments make no more jobs, and nobody can sign in with the App. GitHub still has it: delete it on " {page}
                    " there too."
                </p>
                <button class="button" data-kind="danger" type="submit">"Disconnect GitHub"</button>
            </form>
        </details>
    }
}

fn connected(app: GitHubApp, installations: Vec<Installation>) -> impl IntoView {
    let install = app.install_address();
    let list = if installations.is_empty() {
        Either::Left(view! {
            <p class="panel-empty">"The App is installed nowhere yet. Choose the repositories that it may work in."</p>
        })
    } else {
        let rows = installations.into_iter().map(row).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <div class="setting setting-actions">
            <div class="min-w-0">
                <p class="truncate">
                    "Connected as " <a class="link" href=app.address.clone()>{app.name}</a>
                </p>
            </div>
            <a class="button" href=install>"Choose repositories"</a>
            <form method="post" action=RefreshGithub::url() data-live="">
                <button class="button" type="submit">"Refresh"</button>
            </form>
            {disconnect(Some(app.address))}
        </div>
        {list}
    }
}

fn row(installation: Installation) -> impl IntoView {
    let count = installation.repositories.len();
    let note = match (installation.suspended_at, count) {
        (Some(_), _) => "Suspended at GitHub: nothing works there until it is resumed.".to_owned(),
        (None, 1) => "1 repository".to_owned(),
        (None, count) => format!("{count} repositories"),
    };
    let repositories = (count > 0).then(|| {
        let names = installation.repositories.into_iter().map(|repository| {
            let private = repository.is_private.then(|| view! { <span class="hint">" private"</span> });
            view! { <li>{repository.name} {private}</li> }
        });
        view! {
            <details class="installed">
                <summary>"Show them"</summary>
                <ul>{names.collect_view()}</ul>
            </details>
        }
    });
    view! {
        <li class="setting">
            <div class="min-w-0">
                <p class="truncate"><strong>{installation.account}</strong></p>
                <p class="hint">{note}</p>
                {repositories}
            </div>
            <a class="button" href=installation.address>"Change"</a>
        </li>
    }
}
