//! What an agent did, step by step. The server renders steps, in pieces of so many lines; the browser holds the pieces around
//! the reader, and renews those that may still change when the log's stream brings lines.

mod pieces;

use std::time::Duration;

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html::Span,
    prelude::*,
};
use wasm_bindgen::JsCast;

pub use self::pieces::Pieces;
use super::{
    job::FirstSteps,
    log_view::{Bar, Log, bar, linked},
    overlays::{is_plain_click, is_plain_key},
    search::{Output, Search, search_field},
    time::seconds_text,
};
use crate::{
    live::{Clock, LiveState, replace_hash},
    model::{JobId, Timestamp},
};

/// How many lines a piece has.
pub const PIECE: u64 = 200;
/// New lines are shown at most this often.
const GENTLY: Duration = Duration::from_millis(400);

/// The transcript of the attempt whose log this is. `live` says whether more lines may come; `first` is what the server has
/// rendered, if it has.
#[component]
pub fn TranscriptView(
    log: Log,
    id: JobId,
    attempt: u32,
    live: Signal<bool>,
    state: LiveState,
    clock: Clock,
    search: Search,
    first: FirstSteps,
) -> impl IntoView {
    let panel = NodeRef::new();
    let standing = NodeRef::<Span>::new();
    let pieces = Pieces::new(log, id, attempt, standing);
    let is_empty = first.steps.is_empty();
    Effect::new(move |_| take_over(pieces, log, live, clock, search));
    let now = view! { <span class="log-now" node_ref=standing inner_html=first.standing></span> };
    let output = Output::Steps(pieces);
    let find = search_field(search, id, attempt, output);

    view! {
        <section
            class="log transcript"
            aria-label="Transcript"
            node_ref=panel
            on:keydown=move |event| search.take_key(&event)
        >
            {bar(Bar { live, state, panel, output }, now, find)}
            <div
                class="steps-scroller"
                tabindex="0"
                role="region"
                aria-label="Steps"
                data-start="end"
                node_ref=pieces.scroller
                on:scroll=move |_| pieces.scrolled()
                on:keydown=move |event| on_key(pieces, &event)
            >
                <div
                    class="steps-all"
                    node_ref=pieces.lists
                    inner_html=first.steps
                    on:click=move |event| on_link_click(pieces, &event)
                ></div>
            </div>
            <p class="log-empty" hidden=move || !is_empty || pieces.shown.get() || log.total() != 0>
                "Nothing has happened yet"
            </p>
        </section>
    }
}

/// From here on the steps follow the log.
fn take_over(pieces: Pieces, log: Log, live: Signal<bool>, clock: Clock, search: Search) {
    let waiting = StoredValue::new(false);
    Effect::new(move |before: Option<()>| {
        log.track();
        live.track();
        if before.is_some() && waiting.try_get_value() == Some(false) {
            waiting.set_value(true);
            set_timeout(
                move || {
                    if waiting.try_set_value(false).is_none() {
                        pieces.renew();
                    }
                },
                GENTLY,
            );
        }
    });
    Effect::new(move |_| {
        pieces.changed.track();
        show_elapsed(pieces.standing, clock.now());
    });
    search.mark(pieces.lists, move || pieces.changed.track());
    let keys = window_event_listener(leptos::ev::keydown, move |event| on_page_key(pieces, search, &event));
    let hash = window_event_listener(leptos::ev::hashchange, move |_| go_to_linked(pieces));
    on_cleanup(move || {
        keys.remove();
        hash.remove();
    });
    pieces.begin();
    go_to_linked(pieces);
}

fn go_to_linked(pieces: Pieces) {
    if let Some(seq) = location().hash().ok().and_then(|hash| linked(&hash, 'S')) {
        pieces.show_line(seq);
    }
}

/// How long what happens now has been happening.
fn show_elapsed(standing: NodeRef<Span>, now: Option<Timestamp>) {
    let time =
        standing.get_untracked().and_then(|standing| standing.query_selector("[data-since]").ok().flatten());
    let since = time.as_ref().and_then(|time| time.get_attribute("data-since")?.parse().ok()).map(Timestamp);
    if let (Some(time), Some(since), Some(now)) = (time, since, now) {
        time.set_text_content(Some(&seconds_text((now.millis_since(since) / 1000).max(0))));
    }
}

/// A click on a step's link puts the step into the address.
fn on_link_click(pieces: Pieces, event: &MouseEvent) {
    let step = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .and_then(|target| target.closest(".step-link").ok().flatten())
        .and_then(|link| linked(&link.get_attribute("href")?, 'S'));
    if let Some(seq) = step.filter(|_| is_plain_click(event)) {
        event.prevent_default();
        pieces.mark(seq);
        replace_hash(&format!("#S{seq}"));
    }
}

/// Keys that mean the transcript wherever the focus is.
fn on_page_key(pieces: Pieces, search: Search, event: &KeyboardEvent) {
    if !is_plain_key(event) {
        return;
    }
    match event.key().to_lowercase().as_str() {
        "f" => pieces.follow(),
        "/" => search.focus(),
        _ => return,
    }
    event.prevent_default();
}

/// Keys of the focused transcript. The others scroll by themselves.
fn on_key(pieces: Pieces, event: &KeyboardEvent) {
    match event.key().as_str() {
        "Home" => pieces.show_line(1),
        "End" => pieces.follow(),
        _ => return,
    }
    event.prevent_default();
}
