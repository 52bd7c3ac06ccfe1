//! How the work goes: a sentence of figures, and each lane as a thin bar of what it may run.

use leptos::prelude::*;

use crate::{
    components::{
        Shape, icon,
        lane::{cells, pause_view, quota_view, resume, resume_agent},
        notice::{Tone, notice},
        time::upcoming,
    },
    live::Clock,
    model::{Figures, Lane},
};

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

/// The lanes, and what keeps all of them from starting jobs. `may_resume`: this person may resume a paused one.
pub fn lanes_view(clock: Clock, lanes: Vec<Lane>, figures: Figures, may_resume: bool) -> impl IntoView {
    let no_runner = figures.runners == 0 && figures.waiting > 0;
    let lanes = lanes.into_iter().map(|lane| lane_view(clock, lane, may_resume)).collect_view();
    view! {
        <ul class="lanes" aria-label="Lanes">{lanes}</ul>
        {no_runner.then(|| notice(Tone::Attention, view! {
            <strong>"No runner is connected. "</strong>
            "Jobs wait safely until one is: start one with "
            <code>"millrace run"</code>
            ", on this machine or on another."
        }))}
    }
}

fn lane_view(clock: Clock, lane: Lane, may_resume: bool) -> impl IntoView {
    let Lane { kind, concurrency, running, .. } = lane;
    let paused = lane.pause.is_some();
    let text = lane_text(&lane);
    let pause = lane.pause.map(|pause| {
        view! {
            <div class="lane-pause">
                {icon(Shape::Pause)}
                <span class="min-w-0">{pause_view(&pause, move |at| upcoming(clock, at))}</span>
                {may_resume.then(|| resume(kind))}
            </div>
        }
    });
    let quotas = lane.quotas.into_iter().map(|used_up| {
        let agent = used_up.agent.clone();
        view! {
            <div class="lane-pause">
                {icon(Shape::Pause)}
                <span class="min-w-0">{quota_view(&used_up, move |at| upcoming(clock, at))}</span>
                {may_resume.then(|| resume_agent(&agent))}
            </div>
        }
    });
    let quotas = quotas.collect_view();
    view! {
        <li class="lane" data-paused=paused.then_some("")>
            <span class="lane-name">{kind.as_str()}</span>
            <span class="lane-bar" aria-hidden="true">{cells(concurrency, running)}</span>
            <span class="lane-text">{text}</span>
            {pause}
            {quotas}
        </li>
    }
}

fn lane_text(lane: &Lane) -> String {
    let waiting = if lane.waiting > 0 { format!(", {} waiting", lane.waiting) } else { String::new() };
    format!("{} running, at most {}{waiting}", lane.running, lane.concurrency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, sample};

    #[test]
    fn a_lane_says_what_it_runs_and_what_waits() {
        assert_eq!(lane_text(&sample::lane(Kind::Agent)), "1 running, at most 5, 2 waiting");
    }

    #[test]
    fn the_rate_counts_only_jobs_that_ended_by_themselves() {
        let figures = Figures { succeeded: 96, failed: 4, canceled: 50, ..Figures::default() };
        assert_eq!(success_text(&figures), "96 % of 100 succeeded in 24 hours");
        assert_eq!(success_text(&Figures::default()), "none ended in the last 24 hours");
    }
}
