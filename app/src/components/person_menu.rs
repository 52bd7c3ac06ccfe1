//! Who is signed in, and what they can do here: other colours, the shortcuts, sign out.

use leptos::{form::ActionForm, prelude::*};
use wasm_bindgen::JsCast;

use super::{Icon, Shape, shortcuts::Overlay};
use crate::{
    api::{self, SignOut},
    model::Person,
};

/// A year, in seconds.
const COOKIE_AGE: u32 = 31_536_000;

#[component]
pub fn PersonMenu(overlay: RwSignal<Option<Overlay>>) -> impl IntoView {
    let me = Resource::new(|| (), |()| api::me());
    view! {
        <Suspense>
            {move || Suspend::new(async move { me.await.ok().map(|person| view! { <Menu person overlay /> }.into_any()) })}
        </Suspense>
    }
}

#[component]
fn Menu(person: Person, overlay: RwSignal<Option<Overlay>>) -> impl IntoView {
    let sign_out = ServerAction::<SignOut>::new();
    let initial: String = person.login.chars().take(1).flat_map(char::to_uppercase).collect();
    view! {
        <details class="menu">
            <summary title=person.login.clone()>
                <span class="avatar" aria-hidden="true">{initial}</span>
                <span class="sr-only">"Menu of " {person.login.clone()}</span>
            </summary>
            <div class="menu-list">
                <p class="menu-head">{person.login} <span>{person.role.as_str()}</span></p>
                <button type="button" on:click=move |_| toggle_theme()>
                    <Icon shape=Shape::Moon />
                    "Light or dark"
                </button>
                <button type="button" on:click=move |_| overlay.set(Some(Overlay::Shortcuts))>
                    <Icon shape=Shape::Keyboard />
                    "Shortcuts"
                    <kbd>"?"</kbd>
                </button>
                <ActionForm action=sign_out>
                    <button type="submit">
                        <Icon shape=Shape::Exit />
                        "Sign out"
                    </button>
                </ActionForm>
            </div>
        </details>
    }
}

/// Shows the page in the other colours, and asks the server to do so from now on.
pub fn toggle_theme() {
    let Some(root) = document().document_element() else { return };
    let dark = match root.get_attribute("data-theme").as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => window()
            .match_media("(prefers-color-scheme: dark)")
            .ok()
            .flatten()
            .is_some_and(|media| media.matches()),
    };
    let theme = if dark { "light" } else { "dark" };
    // Neither fails in a page that was served over HTTP; if one did, the colours would simply stay.
    let _ = root.set_attribute("data-theme", theme);
    if let Some(document) = document().dyn_ref::<web_sys::HtmlDocument>() {
        let _ = document.set_cookie(&format!("theme={theme}; Path=/; Max-Age={COOKIE_AGE}; SameSite=Lax"));
    }
}
