//! The frame around every page but the sign-in: top bar, bottom bar on a phone, and what opens over the page.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use server_fn::ServerFn;

use super::refusal::general_refusal;
use crate::{
    api::{self, SignOut},
    components::{Given, Mark, Overlays, Shape, icon},
    live::{NOTICE, NOTICE_LINK, NOTICE_TEXT},
    model::{ApiError, Person, Role},
};

#[component]
pub fn Frame(children: Children) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let framed = path != "/sign-in";
    let bottom_path = path.clone();
    view! {
        <a class="skip-link" href="#main">"Skip to content"</a>
        {framed.then(move || view! {
            <Suspense>
                {Suspend::new(async move {
                    let me = api::me().await.ok();
                    view! { <TopBar path me /> }
                })}
            </Suspense>
        })}
        <main id="main" tabindex="-1">{children()}</main>
        {framed.then(move || view! {
            <Suspense>
                {Suspend::new(async move {
                    let role = role_of(api::me().await.ok().as_ref());
                    view! { <BottomBar path=bottom_path role /><Overlays role=Given(role) /> }
                })}
            </Suspense>
            <Notice />
        })}
    }
}

/// What this person may open; of somebody who is not known, what everybody may.
fn role_of(person: Option<&Person>) -> Role {
    person.map_or(Role::Member, |person| person.role)
}

#[component]
fn TopBar(path: String, me: Option<Person>) -> impl IntoView {
    let role = role_of(me.as_ref());
    view! {
        <header class="top-bar">
            <a class="brand" href="/"><Mark /><span>"Millrace"</span></a>
            <nav class="top-nav" aria-label="Pages"><NavLinks path role /></nav>
            <button class="search-button" type="button" data-opens="palette">
                {icon(Shape::Search)}
                <span>"Search or go to"</span>
                <kbd>"Ctrl K"</kbd>
            </button>
            <ConnectionDrop />
            {me.map(|person| view! { <PersonMenu person /> })}
        </header>
    }
}

#[component]
fn BottomBar(path: String, role: Role) -> impl IntoView {
    view! {
        <nav class="bottom-bar" aria-label="Pages">
            <NavLinks path role />
            <button type="button" data-opens="palette">
                {icon(Shape::Search)}
                "Search"
            </button>
        </nav>
    }
}

#[component]
fn NavLinks(path: String, role: Role) -> impl IntoView {
    [
        ("/", Shape::Board, "Board"),
        ("/new", Shape::Plus, "New job"),
        ("/lanes", Shape::Lanes, "Lanes"),
        ("/deliveries", Shape::Inbox, "Deliveries"),
        ("/settings", Shape::Sliders, "Settings"),
    ]
    .into_iter()
    .filter(|(href, ..)| role.may_open(href))
    .map(|(href, shape, label)| {
        view! {
            <a href=href aria-current=(path == href).then_some("page")>
                {icon(shape)}
                {label}
            </a>
        }
    })
    .collect_view()
}

/// What went wrong and what to do: why the form was refused that led here, or what `live::show_problem` has to say.
#[component]
fn Notice() -> impl IntoView {
    let refusal = use_query_map().with_untracked(general_refusal);
    let (silent, signed_in) = (refusal.is_none(), refusal != Some(ApiError::SignIn));
    view! {
        <div class="notice page-notice" id=NOTICE data-tone="problem" role="alert" hidden=silent>
            {icon(Shape::Warning)}
            <p id=NOTICE_TEXT>{refusal.map(|error| error.to_string())}</p>
            <a class="link" id=NOTICE_LINK href="/sign-in" hidden=signed_in>"Sign in"</a>
            <button class="icon-button" type="button" data-opens="nothing">
                {icon(Shape::Close)}
                <span class="sr-only">"Close this notice"</span>
            </button>
        </div>
    }
}

/// Filled while the page is live; `live::LiveState` keeps it so.
#[component]
fn ConnectionDrop() -> impl IntoView {
    view! {
        <span class="drop" id="connection" role="status" data-connection="none">
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
                <path d="M8 1.75c2.6 3.1 4.5 5.35 4.5 7.75a4.5 4.5 0 0 1-9 0c0-2.4 1.9-4.65 4.5-7.75" />
            </svg>
        </span>
    }
}

/// Who is signed in, and what they can do here.
#[component]
fn PersonMenu(person: Person) -> impl IntoView {
    let initial: String = person.login.chars().take(1).flat_map(char::to_uppercase).collect();
    view! {
        <details class="menu">
            <summary title=person.login.clone()>
                <span class="avatar" aria-hidden="true">{initial}</span>
                <span class="sr-only">"Menu of " {person.login.clone()}</span>
            </summary>
            <div class="menu-list">
                <p class="menu-head">{person.login} <span>{person.role.as_str()}</span></p>
                <button type="button" data-opens="theme">
                    {icon(Shape::Moon)}
                    "Light or dark"
                </button>
                <button type="button" data-opens="shortcuts">
                    {icon(Shape::Keyboard)}
                    "Shortcuts"
                    <kbd>"?"</kbd>
                </button>
                <form method="post" action=SignOut::url()>
                    <button type="submit">
                        {icon(Shape::Exit)}
                        "Sign out"
                    </button>
                </form>
            </div>
        </details>
    }
}
