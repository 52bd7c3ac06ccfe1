//! What opens over the page, the keys that open it, and the buttons anywhere on the page that do: each says what it opens in
//! its `data-opens`.

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html::Dialog,
    prelude::*,
};
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::{Given, palette::palette};
use crate::{
    live::{hide_notice, load, renew_after_forms, take_over_forms},
    model::Role,
};

/// A year, in seconds.
const COOKIE_AGE: u32 = 31_536_000;

/// The page that the key L opens.
const LANES: &str = "/lanes";

/// What is shown over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    Palette,
    Shortcuts,
}

/// The key and what it does, by where it does it.
type Keys = (&'static str, &'static [(&'static str, &'static str)]);

const KEYS: [Keys; 2] = [
    (
        "Everywhere",
        &[
            ("Ctrl K", "Search, or go to a job"),
            ("B", "Board"),
            ("N", "New job"),
            ("L", "Lanes"),
            ("?", "This list"),
            ("Esc", "Close what is open"),
        ],
    ),
    (
        "In a job's output",
        &[
            ("/ or Ctrl F", "Find in the whole output"),
            ("Enter", "Next match"),
            ("Shift Enter", "Previous match"),
            ("Esc", "Close the search"),
            ("F", "Follow the end"),
            ("W", "Wrap long lines"),
            ("T", "Show the time of each line"),
            ("Home", "First line"),
            ("End", "Last line"),
        ],
    ),
];

/// `role` is that of the person whose page it is.
#[island]
pub fn Overlays(role: Given<Role>) -> impl IntoView {
    let Given(role) = role;
    let overlay = RwSignal::new(None);
    Effect::new(move |_| {
        // For as long as the page is there.
        window_event_listener(leptos::ev::keydown, move |event| on_key(overlay, role, &event));
        window_event_listener(leptos::ev::click, move |event| on_click(overlay, &event));
        take_over_forms();
        renew_after_forms();
        name_keys();
    });
    view! {
        {palette(overlay, role)}
        {shortcuts(overlay, role)}
    }
}

/// Calls the keys as they are called here: on a Mac it is ⌘ that is held.
fn name_keys() {
    let is_mac = window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"));
    let Ok(keys) = document().query_selector_all("kbd") else { return };
    for key in (0..keys.length()).filter(|_| is_mac).filter_map(|index| keys.item(index)) {
        if let Some(text) = key.text_content() {
            key.set_text_content(Some(&text.replace("Ctrl", "⌘")));
        }
    }
}

fn on_key(overlay: RwSignal<Option<Overlay>>, role: Role, event: &KeyboardEvent) {
    let key = event.key().to_lowercase();
    if key == "k" && (event.ctrl_key() || event.meta_key()) {
        event.prevent_default();
        overlay.update(|shown| *shown = if shown.is_some() { None } else { Some(Overlay::Palette) });
    } else if overlay.get_untracked().is_none() && is_plain_key(event) {
        match key.as_str() {
            "?" => overlay.set(Some(Overlay::Shortcuts)),
            "b" => go_to("/"),
            "n" => go_to("/new"),
            "l" if role.may_open(LANES) => go_to(LANES),
            "escape" => close_menus(None),
            _ => return,
        }
        event.prevent_default();
    }
}

fn on_click(overlay: RwSignal<Option<Overlay>>, event: &MouseEvent) {
    close_menus(target_of(event));
    let opens = target_of(event)
        .and_then(|target| target.closest("[data-opens]").ok().flatten())
        .and_then(|button| button.get_attribute("data-opens"));
    if let Some(button) = target_of(event).and_then(|target| target.closest("[data-copies]").ok().flatten()) {
        copy(&button);
    }
    if let Some(choice) = target_of(event).and_then(|target| target.get_attribute("data-remembers")) {
        remember(&choice);
    }
    if let Some(link) = target_of(event).and_then(|target| target.closest("[data-load]").ok().flatten()) {
        event.prevent_default();
        load(link);
    }
    match opens.as_deref() {
        Some("palette") => overlay.set(Some(Overlay::Palette)),
        Some("shortcuts") => overlay.set(Some(Overlay::Shortcuts)),
        Some("theme") => toggle_theme(),
        Some("nothing") => hide_notice(),
        _ => {}
    }
}

/// Closes the open menu unless `target` is its button, which does so by itself, or in its form.
fn close_menus(target: Option<Element>) {
    let own = target.and_then(|target| target.closest("summary, .menu-form").ok().flatten());
    if let (None, Ok(Some(menu))) = (own, document().query_selector("details.menu[open]")) {
        // Fails for no name that a browser accepts.
        let _ = menu.remove_attribute("open");
    }
}

/// Takes along the text that a button says it copies.
fn copy(button: &Element) {
    let text = button
        .get_attribute("data-copies")
        .and_then(|id| document().get_element_by_id(&id))
        .and_then(|source| source.text_content());
    if let Some(text) = text {
        // A browser that refuses leaves the text selectable.
        let _ = window().navigator().clipboard().write_text(&text);
        if let Ok(Some(label)) = button.query_selector("[aria-live]") {
            label.set_text_content(Some("Copied"));
        }
        // Fails for no name that a browser accepts.
        let _ = button.set_attribute("data-copied", "");
    }
}

fn target_of(event: &web_sys::Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// Goes to another of our pages.
pub fn go_to(address: &str) {
    // Refused only for an address that is none.
    let _ = location().assign(address);
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
    // Fails for no name that a browser accepts.
    let _ = root.set_attribute("data-theme", theme);
    remember(&format!("theme={theme}"));
}

/// Tells the server a choice, such as `theme=dark`, with every page that is asked for from now on.
fn remember(choice: &str) {
    if let Some(document) = document().dyn_ref::<web_sys::HtmlDocument>() {
        // Does not fail in a page that was served over HTTP; if it did, the choice would be forgotten.
        let _ = document.set_cookie(&format!("{choice}; Path=/; Max-Age={COOKIE_AGE}; SameSite=Lax"));
    }
}

/// Whether the key was meant for the page: no modifier, and nobody is typing into a field.
pub fn is_plain_key(event: &KeyboardEvent) -> bool {
    let typing = target_of(event)
        .is_some_and(|target| matches!(target.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
    !(typing || event.ctrl_key() || event.meta_key() || event.alt_key())
}

/// Whether a click asks for nothing but what is clicked.
pub fn is_plain_click(event: &MouseEvent) -> bool {
    !(event.meta_key() || event.ctrl_key() || event.shift_key())
}

/// Opens the dialog while `wanted` is shown.
pub fn show_while(dialog: NodeRef<Dialog>, overlay: RwSignal<Option<Overlay>>, wanted: Overlay) {
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        match (overlay.get() == Some(wanted), dialog.open()) {
            // Fails only for a dialog that is not in the document.
            (true, false) => {
                let _ = dialog.show_modal();
            }
            (false, true) => dialog.close(),
            _ => {}
        }
    });
}

/// A click on the dialog itself is one beside its content.
pub fn is_backdrop(event: &MouseEvent) -> bool {
    target_of(event).is_some_and(|target| target.tag_name() == "DIALOG")
}

fn shortcuts(overlay: RwSignal<Option<Overlay>>, role: Role) -> impl IntoView {
    let dialog = NodeRef::new();
    show_while(dialog, overlay, Overlay::Shortcuts);
    let groups = KEYS
        .iter()
        .map(|(title, keys)| {
            let rows = keys
                .iter()
                .filter(|(key, _)| *key != "L" || role.may_open(LANES))
                .map(|(key, what)| view! { <div><dt>{*what}</dt><dd><kbd>{*key}</kbd></dd></div> })
                .collect_view();
            view! { <h3>{*title}</h3><dl>{rows}</dl> }
        })
        .collect_view();
    view! {
        <dialog
            class="overlay shortcuts"
            aria-label="Shortcuts"
            node_ref=dialog
            on:close=move |_| overlay.set(None)
            on:click=move |event| if is_backdrop(&event) { overlay.set(None) }
        >
            <div class="overlay-body">
                <h2>"Shortcuts"</h2>
                {groups}
            </div>
        </dialog>
    }
}
