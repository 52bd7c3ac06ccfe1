//! What one can do with a log. The bar stays while the log scrolls.

use leptos::{html, prelude::*};

use super::{log::Log, row::Time};
use crate::{
    components::{Shape, icon},
    live::{Connection, LiveState},
    model::JobId,
};

#[component]
pub fn ToolBar(
    log: Log,
    id: JobId,
    attempt: u32,
    live: Signal<bool>,
    state: LiveState,
    panel: NodeRef<html::Section>,
) -> impl IntoView {
    let connection = Memo::new(move |_| match (live.get(), state.get()) {
        (false, _) => ("ended", "Ended"),
        (true, Connection::Live) => ("live", "Live"),
        (true, Connection::Offline) => ("offline", "Offline"),
        (true, Connection::Reconnecting | Connection::None) => ("reconnecting", "Connecting"),
    });
    let total = Memo::new(move |_| log.total());
    let full_screen = move |_| {
        if document().fullscreen_element().is_some() {
            document().exit_fullscreen();
        } else if let Some(panel) = panel.get_untracked() {
            // A browser may refuse; the log then stays where it is.
            let _ = panel.request_fullscreen();
        }
    };

    view! {
        <div class="log-bar" role="toolbar" aria-label="Log">
            <span class="log-state" role="status" data-state=move || connection.get().0>
                <i aria-hidden="true"></i>
                {move || connection.get().1}
            </span>
            <span class="log-count">{move || count_text(total.get())}</span>
            <span class="grow"></span>
            <button
                class="log-tool"
                data-kind="follow"
                type="button"
                title="Follow (F)"
                hidden=move || log.following.get() || !live.get()
                on:click=move |_| log.follow()
            >
                {icon(Shape::Down)}
                "Follow"
            </button>
            {toggle(
                Shape::Wrap,
                "Wrap long lines (W)",
                move || log.wrapped.get(),
                move || log.wrapped.update(|wrapped| *wrapped = !*wrapped),
            )}
            {toggle(Shape::Clock, "Times (T)", move || log.time.get() != Time::Hidden, move || toggle_time(log))}
            <a
                class="log-tool"
                href=format!("/api/jobs/{id}/output.txt?attempt={attempt}")
                download=""
                title="Download as text"
            >
                {icon(Shape::Download)}
                <span class="sr-only">"Download as text"</span>
            </a>
            <button class="log-tool" type="button" title="Full screen" on:click=full_screen>
                {icon(Shape::Expand)}
                <span class="sr-only">"Full screen"</span>
            </button>
        </div>
    }
}

fn toggle(
    shape: Shape,
    label: &'static str,
    on: impl Fn() -> bool + Send + 'static,
    press: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            class="log-tool"
            type="button"
            title=label
            aria-pressed=move || if on() { "true" } else { "false" }
            on:click=move |_| press()
        >
            {icon(shape)}
            <span class="sr-only">{label}</span>
        </button>
    }
}

/// Shows or hides the time of each line, in the browser's time zone.
pub fn toggle_time(log: Log) {
    let zone = js_sys::Date::new_0().get_timezone_offset() as i32;
    log.time.update(|time| {
        *time = match time {
            Time::Hidden => Time::Shown(zone),
            Time::Shown(_) => Time::Hidden,
        }
    });
}

/// `1,234,567 lines`
fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + if count == 1 { " line" } else { " lines" }
}

#[cfg(test)]
mod tests {
    use super::count_text;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(count_text(0), "0 lines");
        assert_eq!(count_text(1), "1 line");
        assert_eq!(count_text(999), "999 lines");
        assert_eq!(count_text(1_234_567), "1,234,567 lines");
    }
}
