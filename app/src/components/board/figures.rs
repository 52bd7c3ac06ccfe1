//! How the work goes: a sentence of figures, and each lane as a thin bar of its slots.

use leptos::{either::Either, prelude::*};

use crate::components::{
    notice::{Tone, notice},
    time::clock_text,
};
use crate::model::{Figures, Lane, Pause};

/// Up to here each slot of a lane is drawn by itself.
const SLOTS_DRAWN: u32 = 24;

/// The board's headline.
pub fn figures_sentence(figures: Figures) -> impl IntoView {
    let parts = [
        (figures.running, "running", "running"),
        (figures.waiting, "queued", "waiting"),
        (figures.succeeded, "succeeded", "done"),
        (figures.failed, "failed", "failed"),
    ]
    .map(|(count, state, word)| {
        view! {
            <span class="figure" data-state=state data-zero=(count == 0).then_some("")>
                <b>{count}</b>
                " "
                {word}
            </span>
        }
    });
    view! {
        <h1 class="figures">
            {parts.into_iter().collect_view()}
            <span class="figures-rate">{success_text(&figures)}</span>
        </h1>
    }
}

/// The last part of the headline, e.g. `96 % of 240 succeeded in 24 hours`.
fn success_text(figures: &Figures) -> String {
    match figures.success_rate() {
        Some(rate) => format!("{rate} % of {} succeeded in 24 hours", figures.succeeded + figures.failed),
        None => "none ended in the last 24 hours".to_owned(),
    }
}

/// The lanes, and what keeps all of them from starting jobs.
pub fn lanes_view(lanes: Vec<Lane>, figures: Figures) -> impl IntoView {
    let no_runner = figures.runners == 0 && figures.waiting > 0;
    view! {
        <ul class="lanes" aria-label="Lanes">{lanes.into_iter().map(lane_view).collect_view()}</ul>
        {no_runner.then(|| notice(Tone::Attention, view! {
            <strong>"No runner is connected. "</strong>
            "Jobs wait safely until one is: start one with "
            <code>"millrace run"</code>
            ", on this machine or on another."
        }))}
    }
}

fn lane_view(lane: Lane) -> impl IntoView {
    view! {
        <li class="lane" data-paused=lane.pause.is_some().then_some("")>
            <span class="lane-name">{lane.kind.as_str()}</span>
            <span class="lane-bar" aria-hidden="true">{bar(lane.concurrency, lane.running)}</span>
            <span class="lane-text">{lane_text(&lane)}</span>
        </li>
    }
}

/// A lane's slots as cells, or as one bar where they are too many.
fn bar(slots: u32, used: u32) -> impl IntoView {
    if slots <= SLOTS_DRAWN {
        let cells = (0..slots).map(|slot| view! { <i data-used=(slot < used).then_some("")></i> });
        Either::Left(cells.collect_view())
    } else {
        Either::Right(view! { <progress max=slots value=used></progress> })
    }
}

fn lane_text(lane: &Lane) -> String {
    if let Some(pause) = &lane.pause {
        return pause_text(pause);
    }
    let waiting = if lane.waiting > 0 { format!(", {} waiting", lane.waiting) } else { String::new() };
    format!("{} of {} slots{waiting}", lane.running, lane.concurrency)
}

fn pause_text(pause: &Pause) -> String {
    match pause.until {
        Some(until) => format!("Paused: {}, resumes {}", pause.reason, clock_text(until)),
        None => format!("Paused: {}", pause.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, sample};

    #[test]
    fn a_paused_lane_says_why_and_until_when() {
        let lane = Lane { pause: Some(sample::pause()), ..sample::lane(Kind::Agent) };
        assert_eq!(lane_text(&lane), "Paused: quota used up, resumes 14:05 UTC");
        assert_eq!(lane_text(&Lane { pause: None, ..lane }), "1 of 5 slots, 2 waiting");
    }

    #[test]
    fn the_rate_counts_only_jobs_that_ended_by_themselves() {
        let figures = Figures { succeeded: 96, failed: 4, canceled: 50, ..Figures::default() };
        assert_eq!(success_text(&figures), "96 % of 100 succeeded in 24 hours");
        assert_eq!(success_text(&Figures::default()), "none ended in the last 24 hours");
    }
}
