//! What one can do with a log, beside what its bar has in every view.

use leptos::prelude::*;

use super::{log::Log, row::Time};
use crate::{
    components::{Shape, icon, words::count_text},
    model::JobId,
};

pub fn tools(log: Log, id: JobId, attempt: u32) -> impl IntoView {
    view! {
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
pub fn lines_text(count: u64) -> String {
    count_text(count) + if count == 1 { " line" } else { " lines" }
}
#[cfg(test)]
mod tests {
    use super::lines_text;

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(lines_text(1), "1 line");
        assert_eq!(lines_text(1_234), "1,234 lines");
    }
}
