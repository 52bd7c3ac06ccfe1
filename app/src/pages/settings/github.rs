//! The connection to GitHub: the App, and where it is installed.

use leptos::{
    either::{Either, EitherOf3},
    prelude::*,
};
use server_fn::ServerFn;

use crate::{
    api::{self, DisconnectGithub, RefreshGithub},
    backend::SETTINGS,
    components::{Tone, notice},
    model::{ApiError, AppForm, GitHubApp, GitHubConnection, Installation},
    pages::field::{Label, field},
};

/// What there is to show.
pub struct Shown {
    connection: Result<GitHubConnection, ApiError>,
    /// Where no App is connected.
    offer: Option<Offer>,
}

/// The App that could be made.
struct Offer {
    form: Result<AppForm, ApiError>,
    /// Whose it would be; empty for one's own account.
    organisation: String,
}

impl Shown {
    pub async fn load(organisation: String) -> Self {
        let connection = api::github().await;
        let offer = match &connection {
            Ok(connection) if connection.app.is_none() => {
                Some(Offer { form: api::app_form(&organisation).await, organisation })
            }
            _ => None,
        };
        Self { connection, offer }
    }
}

pub fn github(Shown { connection, offer }: Shown) -> impl IntoView {
    let place = connection.as_ref().map(|connection| host(&connection.url)).unwrap_or_default();
    let content = match connection {
        Ok(GitHubConnection { app: Some(app), installations, .. }) => {
            EitherOf3::A(connected(app, installations))
        }
        Ok(connection) => EitherOf3::B(not_connected(connection.has_token, offer)),
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

fn not_connected(has_token: bool, offer: Option<Offer>) -> impl IntoView {
    let text = if has_token {
        "Millrace works with the token in its settings. An App is better: people can sign in, and tokens last an hour."
    } else {
        "Connected to GitHub, a comment there becomes a job, and a job becomes a pull request."
    };
    offer.map(|Offer { form, organisation }| match form {
        Ok(form) => {
            let offer = view! { {make(text, form, &organisation)} {for_organisation(organisation, None)} };
            EitherOf3::A(offer)
        }
        Err(error @ ApiError::Invalid { .. }) => EitherOf3::B(for_organisation(organisation, Some(&error))),
        Err(error) => EitherOf3::C(view! { <p class="panel-empty setting-error">{error.to_string()}</p> }),
    })
}

/// The form goes straight to GitHub, which asks whether to make the App and sends the browser back.
fn make(text: &'static str, form: AppForm, organisation: &str) -> impl IntoView + use<> {
    let unreachable = form.is_unreachable.then(|| {
        let text = view! {
            <p>
                "GitHub cannot reach this server at its present address, so comments would go unheard. Set "
                <code>"public_url"</code> " under [server] in Leptos.toml to one that is reachable from the internet first."
            </p>
        };
        view! { <div class="setting-notice">{notice(Tone::Attention, text)}</div> }
    });
    let button = match organisation {
        "" => "Connect GitHub".to_owned(),
        name => format!("Connect GitHub for {name}"),
    };
    view! {
        {unreachable}
        <form class="setting setting-actions" method="post" action=form.action>
            <p class="min-w-0">{text}</p>
            <input type="hidden" name="manifest" value=form.manifest />
            <button class="button" data-kind="primary" type="submit">{button}</button>
        </form>
        <details class="setting-more">
            <summary>"What this does"</summary>
            <ul class="setting-list">
                <li>"GitHub asks you to make an App named " <strong>{form.name}</strong> ", and then which repositories it may work in."</li>
                <li>"There it reads and writes contents, issues, pull requests and checks, and is told of what happens to them."</li>
                <li>"It reads who belongs to your organisation, to let people sign in."</li>
                <li>"It is private to you. Its key and secrets are stored here, encrypted."</li>
            </ul>
        </details>
    }
}

fn for_organisation(organisation: String, refusal: Option<&ApiError>) -> impl IntoView + use<> {
    let label = Label::new(
        "organisation",
        "Organisation",
        "As in its address at GitHub. The App belongs to it then.",
    );
    let is_open = refusal.is_some();
    let input = view! {
        <input id="organisation" name="organisation" value=organisation placeholder="acme" maxlength="100" autocomplete="off"
            spellcheck="false" required />
    };
    view! {
        <details class="setting-more" open=is_open>
            <summary>"For an organisation"</summary>
            <form class="setting-fields" method="get" action=SETTINGS>
                {field(label, refusal, input)}
                <button class="button beside-field" type="submit">"Use this organisation"</button>
            </form>
        </details>
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
