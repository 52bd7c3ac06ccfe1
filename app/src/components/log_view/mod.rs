//! A job's output as a terminal would show it. The browser holds a window of lines and renders what is on the screen, so
//! that a million lines scroll like a hundred; the first rows come rendered from the server.

mod ansi;
mod bar;
mod fetch;
mod geometry;
mod lines;
mod log;
mod row;
mod tool_bar;

use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    prelude::*,
};
use wasm_bindgen::JsCast;

#[cfg(feature = "ssr")]
pub use ansi::plain_text;
pub use bar::{Bar, bar};
pub use log::{Log, Start};
use row::row_view;
use tool_bar::{lines_text, tools};

use super::{
    overlays::{is_plain_click, is_plain_key},
    search::{Output, Search, search_field},
};
use crate::{
    live::{LiveState, replace_hash},
    model::JobId,
};

/// The log of one attempt. `live` says whether more lines may come.
#[component]
pub fn LogView(
    log: Log,
    id: JobId,
    attempt: u32,
    live: Signal<bool>,
    state: LiveState,
    search: Search,
) -> impl IntoView {
    let panel = NodeRef::new();
    Effect::new(move |_| take_over(log, id, attempt, search));
    let start = (log.start == Start::End).then_some("end");
    let count = view! { <span class="log-count">{move || lines_text(log.total())}</span> };
    let output = Output::Lines(log);
    let find = search_field(search, id, attempt, output);

    view! {
        <section class="log" aria-label="Output" node_ref=panel on:keydown=move |event| search.take_key(&event)>
            {bar(
                Bar { live, state, panel, output },
                count,
                view! { {find}{tools(log, id, attempt)} },
            )}
            <div
                class="log-scroller"
                tabindex="0"
                role="region"
                aria-label="Lines"
                data-start=start
                data-wrapped=move || log.wrapped.get().then_some("")
                node_ref=log.scroller
                on:scroll=move |_| log.scrolled()
                on:keydown=move |event| on_scroll_key(log, &event)
            >
                <div class="log-space" node_ref=log.space>
                    <ol class="log-rows" node_ref=log.rows on:click=move |event| on_number_click(log, &event)>
                        <For each=move || log.rendered_rows() key=row::Row::key children=row_view />
                    </ol>
                </div>
            </div>
            <p class="log-empty" hidden=move || log.total() != 0>
                {move || if live.get() { "No output yet" } else { "It printed nothing" }}
            </p>
        </section>
    }
}

/// What the browser does with the rows that the server rendered: from here on they follow the scroll position.
fn take_over(log: Log, id: JobId, attempt: u32, search: Search) {
    if let Some(scroller) = log.scroller.get_untracked() {
        // Fails for no name that a browser accepts.
        let _ = scroller.remove_attribute("data-start");
        let _ = scroller.set_attribute("data-ready", "");
    }
    Effect::new(move |_| {
        log.shown.track();
        log.lines.track();
        log.wrapped.track();
        log.time.track();
        log.place();
    });
    search.mark(log.space, move || {
        log.shown.track();
        log.lines.track();
    });
    fetch::fetch_missing(log, id, attempt);
    let resize = window_event_listener(leptos::ev::resize, move |_| log.resized());
    let keys = window_event_listener(leptos::ev::keydown, move |event| on_page_key(log, search, &event));
    let hash = window_event_listener(leptos::ev::hashchange, move |_| go_to_linked(log));
    on_cleanup(move || {
        resize.remove();
        keys.remove();
        hash.remove();
        log.stop_settling();
    });
    go_to_linked(log);
}

/// The line that `#L123` names, or the step that `#S123` does.
pub fn linked(hash: &str, letter: char) -> Option<u64> {
    hash.trim_start_matches('#').strip_prefix(letter)?.parse().ok().filter(|seq| *seq > 0)
}

fn go_to_linked(log: Log) {
    if let Some(seq) = location().hash().ok().and_then(|hash| linked(&hash, 'L')) {
        log.linked.set(Some(seq));
        log.go_to_line(seq);
    }
}

/// A click on a line's number puts the line into the address, and a second one takes it out.
fn on_number_click(log: Log, event: &MouseEvent) {
    let number = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        .and_then(|target| target.closest(".line-number").ok().flatten())
        .and_then(|number| number.get_attribute("href"))
        .and_then(|href| linked(&href, 'L'));
    let Some(seq) = number else { return };
    if !is_plain_click(event) {
        return;
    }
    event.prevent_default();
    let linked = Some(seq).filter(|_| log.linked.get_untracked() != Some(seq));
    log.linked.set(linked);
    replace_hash(&linked.map_or_else(String::new, |seq| format!("#L{seq}")));
}

/// Keys that mean the log wherever the focus is.
fn on_page_key(log: Log, search: Search, event: &KeyboardEvent) {
    if !is_plain_key(event) {
        return;
    }
    match event.key().to_lowercase().as_str() {
        "f" => log.follow(),
        "/" => search.focus(),
        "w" => log.wrapped.update(|wrapped| *wrapped = !*wrapped),
        "t" => tool_bar::toggle_time(log),
        _ => return,
    }
    event.prevent_default();
}

/// Keys of the focused log. The others scroll by themselves.
fn on_scroll_key(log: Log, event: &KeyboardEvent) {
    match event.key().as_str() {
        "Home" => log.go_to_start(),
        "End" => log.follow(),
        _ => return,
    }
    event.prevent_default();
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn only_an_anchor_of_a_line_names_one() {
        assert_eq!(linked("#L123", 'L'), Some(123));
        assert_eq!(linked("#S7", 'S'), Some(7));
        for other in ["", "#", "#main", "#L", "#L0", "#L-1", "#Lx", "#S1"] {
            assert_eq!(linked(other, 'L'), None, "{other}");
        }
    }
}
