//! What failed lately, grouped by why, and what has waited for longest.

use leptos::{either::Either, prelude::*};

use crate::{
    components::{
        state::{job_icon, state_icon},
        time::moment,
        words::repository_name,
    },
    model::{FailureGroup, Job, JobState, Timestamp},
};

pub fn failures(groups: Vec<FailureGroup>, now: Timestamp) -> impl IntoView {
    let list = if groups.is_empty() {
        Either::Left(view! { <p class="panel-empty">"Nothing failed in the last 24 hours."</p> })
    } else {
        let rows = groups.into_iter().map(|group| failure(group, now)).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" id="failures" data-part="" tabindex="-1" aria-labelledby="failures-title">
            <header class="panel-head"><h2 id="failures-title">"Failures"</h2><span class="panel-note">"Last 24 hours"</span></header>
            {list}
        </section>
    }
}

fn failure(group: FailureGroup, now: Timestamp) -> impl IntoView {
    view! {
        <li class="brief">
            {state_icon(JobState::Failed)}
            <div class="min-w-0">
                <a class="brief-title" href=format!("/jobs/{}", group.last_job)>{group.error}</a>
                <p class="hint">{group.kind.as_str()} ", last " {moment(group.last_at, now)}</p>
            </div>
            <b class="brief-count">{format!("{} ×", group.count)}</b>
        </li>
    }
}

pub fn oldest(jobs: Vec<Job>, now: Timestamp) -> impl IntoView {
    let list = if jobs.is_empty() {
        Either::Left(view! { <p class="panel-empty">"Nothing waits."</p> })
    } else {
        let rows = jobs.into_iter().map(|job| waiting(job, now)).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" id="oldest" data-part="" tabindex="-1" aria-labelledby="oldest-title">
            <header class="panel-head"><h2 id="oldest-title">"Waiting longest"</h2></header>
            {list}
        </section>
    }
}

fn waiting(job: Job, now: Timestamp) -> impl IntoView {
    view! {
        <li class="brief">
            {job_icon(&job)}
            <div class="min-w-0">
                <a class="brief-title" href=format!("/jobs/{}", job.id)>{job.title}</a>
                <p class="hint">{repository_name(&job.repository).to_owned()} ", " {job.priority.as_str()}</p>
            </div>
            <span class="hint">{job.queued_at.map(|at| moment(at, now))}</span>
        </li>
    }
}
