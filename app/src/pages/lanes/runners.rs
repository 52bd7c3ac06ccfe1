//! The runners: what each has in its hands, and the switch that lets it finish.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::{DrainRunner, UndrainRunner},
    components::{Shape, icon, lane::cells, time::moment},
    model::{Kind, RunnerInfo, RunnerJob, Timestamp},
};

pub fn runners(runners: Vec<RunnerInfo>, now: Timestamp) -> impl IntoView {
    let list = if runners.is_empty() {
        Either::Left(view! {
            <p class="panel-empty">
                "None is connected. Jobs wait safely until one is: start one with "
                <code>"millrace run"</code>
                ", on this machine or on another."
            </p>
        })
    } else {
        let rows = runners.into_iter().map(|runner| row(runner, now)).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" id="runners" data-part="" tabindex="-1" aria-labelledby="runners-title">
            <header class="panel-head"><h2 id="runners-title">"Runners"</h2></header>
            {list}
        </section>
    }
}

fn row(runner: RunnerInfo, now: Timestamp) -> impl IntoView {
    let running = u32::try_from(runner.running.len()).unwrap_or(u32::MAX);
    let state = match (runner.online, runner.draining) {
        (false, _) => "offline",
        (true, true) => "draining",
        (true, false) => "online",
    };
    let standing = match state {
        "offline" => Either::Left(("Away, last heard of ", moment(runner.last_seen_at, now))),
        "draining" if running == 0 => Either::Right("Drained: it can be stopped"),
        "draining" => Either::Right("Draining: finishes what it runs"),
        _ => Either::Right("Online"),
    };
    view! {
        <li class="runner" data-state=state>
            <span class="runner-dot" aria-hidden="true"></span>
            <div class="min-w-0">
                <p class="runner-name"><strong>{runner.name.clone()}</strong> <span>{standing}</span></p>
                <p class="hint">{about(&runner.lanes, &runner.version)} ", started " {moment(runner.started_at, now)}</p>
                <ul class="runner-jobs">{runner.running.into_iter().map(|job| job_line(job, now)).collect_view()}</ul>
            </div>
            <div class="runner-slots">
                <span>{format!("{running} of {} slots", runner.slots)}</span>
                <span class="lane-bar" aria-hidden="true">{cells(runner.slots, running)}</span>
            </div>
            {runner.online.then(|| switch(runner.name, runner.draining))}
        </li>
    }
}

/// What it takes, and what it is.
fn about(lanes: &[Kind], version: &str) -> String {
    let lanes: Vec<_> = lanes.iter().map(|lane| lane.as_str()).collect();
    format!("Takes {}, version {version}", lanes.join(" and "))
}

fn job_line(job: RunnerJob, now: Timestamp) -> impl IntoView {
    view! {
        <li>
            <a class="link" href=format!("/jobs/{}", job.id)>{job.title}</a>
            <span class="hint">"started " {moment(job.started_at, now)}</span>
        </li>
    }
}

fn switch(runner: String, draining: bool) -> impl IntoView {
    let (address, shape, label) = if draining {
        (UndrainRunner::url(), Shape::Play, "Take jobs again")
    } else {
        (DrainRunner::url(), Shape::Pause, "Drain")
    };
    view! {
        <form method="post" action=address data-live="">
            <input type="hidden" name="runner" value=runner />
            <button class="button" type="submit">{icon(shape)} {label}</button>
        </form>
    }
}
