//! The frame around every page but the sign-in: top bar, bottom bar on a phone, palette and shortcuts.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{
    Icon, Mark, Shape,
    drop::ConnectionDrop,
    palette::Palette,
    person_menu::PersonMenu,
    shortcuts::{Overlay, Shortcuts, listen_for_shortcuts},
};

#[component]
pub fn Frame(children: Children) -> impl IntoView {
    let pathname = use_location().pathname;
    let signed_out = Memo::new(move |_| pathname.get() == "/sign-in");
    let overlay = RwSignal::new(None);
    listen_for_shortcuts(overlay, signed_out);

    view! {
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        {move || (!signed_out.get()).then(|| view! { <TopBar overlay pathname /> }.into_any())}
        <main id="main" tabindex="-1">{children()}</main>
        {move || (!signed_out.get()).then(|| view! { <BottomBar overlay pathname /> }.into_any())}
        <Palette overlay />
        <Shortcuts overlay />
    }
}

#[component]
fn TopBar(overlay: RwSignal<Option<Overlay>>, pathname: Memo<String>) -> impl IntoView {
    view! {
        <header class="top-bar">
            <a class="brand" href="/"><Mark /><span>"Millrace"</span></a>
            <nav class="top-nav" aria-label="Pages">
                <NavLinks pathname />
            </nav>
            <button class="search-button" type="button" on:click=move |_| overlay.set(Some(Overlay::Palette))>
                <Icon shape=Shape::Search />
                <span>"Search or go to"</span>
                <kbd>"Ctrl K"</kbd>
            </button>
            <ConnectionDrop />
            <PersonMenu overlay />
        </header>
    }
}

#[component]
fn BottomBar(overlay: RwSignal<Option<Overlay>>, pathname: Memo<String>) -> impl IntoView {
    view! {
        <nav class="bottom-bar" aria-label="Pages">
            <NavLinks pathname />
            <button type="button" on:click=move |_| overlay.set(Some(Overlay::Palette))>
                <Icon shape=Shape::Search />
                "Search"
            </button>
        </nav>
    }
}

#[component]
fn NavLinks(pathname: Memo<String>) -> impl IntoView {
    [("/", Shape::Board, "Board"), ("/new", Shape::Plus, "New job")]
        .map(|(href, shape, label)| {
            view! {
                <a href=href aria-current=move || (pathname.get() == href).then_some("page")>
                    <Icon shape />
                    {label}
                </a>
            }
        })
        .into_iter()
        .collect_view()
}
