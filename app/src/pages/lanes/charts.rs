//! The last hour by the minute: how many jobs ended, and how long they had waited. Bars in our own SVG; each chart says in words
//! what it shows.

use leptos::prelude::*;

use crate::{
    components::time::{clock_text, rough_text},
    model::{Minute, Timestamp},
};

/// The grid that bars are drawn on; the picture is stretched to its place.
const HEIGHT: u64 = 60;
const STEP: usize = 10;
const BAR: usize = 8;

/// One minute of a chart: its parts from the ground up, and the words for them.
struct Bar {
    parts: Vec<(&'static str, u64)>,
    text: String,
}

impl Bar {
    fn total(&self) -> u64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }
}

pub fn charts(history: &[Minute]) -> impl IntoView + use<> {
    view! {
        <div class="halves" id="charts" data-part="" tabindex="-1">
            {chart("Throughput", ended_summary(history), history.iter().map(ended).collect())}
            {chart("Time to start", wait_summary(history), history.iter().map(waited).collect())}
        </div>
    }
}

fn ended(minute: &Minute) -> Bar {
    let (succeeded, failed) = (minute.succeeded, minute.failed);
    let at = clock_text(Timestamp(minute.at));
    Bar {
        parts: vec![("succeeded", succeeded.into()), ("failed", failed.into())],
        text: format!("{at}: {succeeded} succeeded, {failed} failed"),
    }
}

fn waited(minute: &Minute) -> Bar {
    let at = clock_text(Timestamp(minute.at));
    let text = match minute.wait_ms {
        Some(wait) => format!("{at}: {} started, half of them within {}", minute.started, millis_text(wait)),
        None => format!("{at}: nothing started"),
    };
    Bar { parts: vec![("waited", minute.wait_ms.unwrap_or(0))], text }
}

fn ended_summary(history: &[Minute]) -> String {
    let succeeded: u32 = history.iter().map(|minute| minute.succeeded).sum();
    let failed: u32 = history.iter().map(|minute| minute.failed).sum();
    let busiest = history.iter().max_by_key(|minute| minute.succeeded + minute.failed);
    match busiest {
        Some(busiest) if succeeded + failed > 0 => format!(
            "{} ended, {failed} of them failed. Most in a minute: {}",
            succeeded + failed,
            busiest.succeeded + busiest.failed,
        ),
        _ => "Nothing ended in the last hour".to_owned(),
    }
}

fn wait_summary(history: &[Minute]) -> String {
    let started: u32 = history.iter().map(|minute| minute.started).sum();
    match history.iter().filter_map(|minute| minute.wait_ms).max() {
        Some(longest) => {
            format!(
                "{started} started. In the slowest minute half of them waited {} or more",
                millis_text(longest)
            )
        }
        None => "Nothing started in the last hour".to_owned(),
    }
}

fn millis_text(millis: u64) -> String {
    match millis {
        ..1000 => format!("{millis} ms"),
        _ => rough_text(i64::try_from(millis).unwrap_or(i64::MAX)),
    }
}

fn chart(title: &'static str, summary: String, bars: Vec<Bar>) -> impl IntoView {
    let most = bars.iter().map(Bar::total).max().unwrap_or(0).max(1);
    let width = bars.len() * STEP;
    let drawn =
        bars.into_iter().enumerate().map(|(index, bar)| minute_bar(index * STEP, bar, most)).collect_view();
    view! {
        <figure class="panel chart">
            <figcaption class="panel-head">
                <h2>{title}</h2>
                <span class="panel-note">"Last hour"</span>
            </figcaption>
            <svg
                viewBox=format!("0 0 {width} {HEIGHT}")
                preserveAspectRatio="none"
                role="img"
                aria-label=format!("{title} by the minute. {summary}.")
            >
                {drawn}
            </svg>
            <p class="chart-axis" aria-hidden="true"><span>"60 min ago"</span> <span>"now"</span></p>
            <p class="chart-summary">{summary}</p>
        </figure>
    }
}

/// The parts of a bar on top of each other, and a place as high as the chart that says what they are.
fn minute_bar(x: usize, bar: Bar, most: u64) -> impl IntoView {
    let mut ground = HEIGHT;
    let parts = bar.parts.into_iter().filter(|(_, value)| *value > 0).map(|(kind, value)| {
        let height = height(value, most).min(ground);
        ground -= height;
        view! { <rect data-kind=kind x=x + 1 y=ground width=BAR height=height></rect> }
    });
    let parts = parts.collect_view();
    view! {
        <g>
            <title>{bar.text}</title>
            <rect class="chart-minute" x=x y="0" width=STEP height=HEIGHT></rect>
            {parts}
        </g>
    }
}

/// What there is can be seen, however little it is beside the rest.
fn height(value: u64, most: u64) -> u64 {
    (value * HEIGHT / most).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let quiet = Minute::default();
        let busy = Minute { started: 4, succeeded: 3, failed: 1, wait_ms: Some(340), ..quiet };
        assert_eq!(ended_summary(&[quiet, busy]), "4 ended, 1 of them failed. Most in a minute: 4");
        assert_eq!(
            wait_summary(&[busy, quiet]),
            "4 started. In the slowest minute half of them waited 340 ms or more"
        );
        assert_eq!(ended_summary(&[quiet]), "Nothing ended in the last hour");
        assert_eq!(wait_summary(&[quiet]), "Nothing started in the last hour");
    }

    #[test]
    fn the_greatest_bar_fills_the_chart_and_the_smallest_is_seen() {
        assert_eq!(height(1000, 1000), HEIGHT);
        assert_eq!(height(1, 1000), 2);
    }
}
