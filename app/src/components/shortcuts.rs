//! The keys that work on every page, and the list of all that there are.

use leptos::{ev::KeyboardEvent, html::Dialog, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use wasm_bindgen::JsCast;

/// What is shown over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    Palette,
    Shortcuts,
}

const KEYS: &[(&str, &[(&str, &str)])] = &[
    (
        "Everywhere",
        &[("Ctrl K", "Search, or go to a job"), ("B", "Board"), ("N", "New job"), ("?", "This list")],
    ),
    (
        "In a job's log",
        &[
            ("F", "Follow the end"),
            ("W", "Wrap long lines"),
            ("T", "Show the time of each line"),
            ("Home", "First line"),
            ("End", "Last line"),
        ],
    ),
];

/// Listens for the keys that work on every page.
pub fn listen_for_shortcuts(overlay: RwSignal<Option<Overlay>>, signed_out: Memo<bool>) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            if signed_out.get_untracked() {
                return;
            }
            let key = event.key().to_lowercase();
            if key == "k" && (event.ctrl_key() || event.meta_key()) {
                event.prevent_default();
                overlay.update(|shown| *shown = if shown.is_some() { None } else { Some(Overlay::Palette) });
                return;
            }
            if overlay.get_untracked().is_some() || !is_plain_key(&event) {
                return;
            }
            match key.as_str() {
                "?" => overlay.set(Some(Overlay::Shortcuts)),
                "b" => navigate("/", NavigateOptions::default()),
                "n" => navigate("/new", NavigateOptions::default()),
                _ => return,
            }
            event.prevent_default();
        });
        on_cleanup(move || listener.remove());
    });
}

/// Whether the key was meant for the page: no modifier, and nobody is typing into a field.
pub fn is_plain_key(event: &KeyboardEvent) -> bool {
    let typing = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|target| matches!(target.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
    !(typing || event.ctrl_key() || event.meta_key() || event.alt_key())
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
pub fn is_backdrop(event: &leptos::ev::MouseEvent) -> bool {
    event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .is_some_and(|target| target.tag_name() == "DIALOG")
}

#[component]
pub fn Shortcuts(overlay: RwSignal<Option<Overlay>>) -> impl IntoView {
    let dialog = NodeRef::new();
    show_while(dialog, overlay, Overlay::Shortcuts);
    let groups = KEYS
        .iter()
        .map(|(title, keys)| {
            let rows = keys
                .iter()
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
    .into_any()
}
