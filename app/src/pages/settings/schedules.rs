//! Schedules: jobs that the clock makes.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::{CreateSchedule, DeleteSchedule},
    components::{Shape, icon, time::moment, words::repository_name},
    model::{AgentStatus, JobId, Schedule, Timestamp},
    pages::field::{Label, choice_field, field},
};

pub fn schedules(
    schedules: Vec<Schedule>,
    repositories: Vec<String>,
    agents: Vec<AgentStatus>,
    now: Timestamp,
) -> impl IntoView {
    let list = if schedules.is_empty() {
        Either::Left(
            view! { <p class="panel-empty">"None yet. A schedule makes a job at every time that it names."</p> },
        )
    } else {
        let rows = schedules.into_iter().map(|schedule| row(schedule, now)).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" aria-labelledby="schedules-title">
            <header class="panel-head">
                <h2 id="schedules-title">"Schedules"</h2>
                <span class="panel-note">"Jobs that the clock makes"</span>
            </header>
            <div id="schedules" data-part="" tabindex="-1">{list}</div>
            {make(repositories, agents)}
        </section>
    }
}

fn row(schedule: Schedule, now: Timestamp) -> impl IntoView {
    let next = match schedule.next_at {
        Some(at) => Either::Left(("Next ", moment(at, now))),
        None => Either::Right("It names no time any more"),
    };
    let last = schedule.last_at.map(|at| (", last ", last_job(schedule.last_job, at, now)));
    view! {
        <li class="setting">
            <div class="min-w-0">
                <p class="truncate">
                    <strong>{schedule.name}</strong> " " <code class="cron">{schedule.cron}</code>
                    <span class="hint">{schedule.timezone}</span>
                </p>
                <p class="hint">
                    {repository_name(&schedule.job.repository).to_owned()} ", by " {schedule.created_by} ". " {next} {last}
                </p>
                {schedule.error.map(|error| view! { <p class="setting-error">{error}</p> })}
            </div>
            <details class="menu">
                <summary class="button">"Delete"</summary>
                <form class="menu-list menu-form" method="post" action=DeleteSchedule::url() data-live="">
                    <p>"It makes no more jobs. Those that it made stay."</p>
                    <input type="hidden" name="id" value=schedule.id.to_string() />
                    <button class="button" data-kind="danger" type="submit">"Delete this schedule"</button>
                </form>
            </details>
        </li>
    }
}

/// When it fired last, with the job of then unless that was deleted.
fn last_job(job: Option<JobId>, at: Timestamp, now: Timestamp) -> impl IntoView {
    match job {
        Some(id) => Either::Left(view! { <a class="link" href=format!("/jobs/{id}")>{moment(at, now)}</a> }),
        None => Either::Right(moment(at, now)),
    }
}

/// A field of the form, whose input is named apart from those of other forms of the page.
fn label(name: &'static str, input: &str, text: &'static str, hint: &'static str) -> Label {
    Label { input: input.to_owned(), ..Label::new(name, text, hint) }
}

fn make(repositories: Vec<String>, agents: Vec<AgentStatus>) -> impl IntoView {
    view! {
        <details class="setting-more">
            <summary>{icon(Shape::Plus)} "New schedule"</summary>
            <form class="setting-fields" method="post" action=CreateSchedule::url() data-live="">
                {field(label("name", "schedule-name", "Name", ""), None, view! {
                    <input id="schedule-name" name="schedule[name]" maxlength="100" autocomplete="off" required />
                })}
                {field(label("cron", "cron", "When", "Minute, hour, day, month, weekday: 0 3 * * 1-5 is three o'clock on workdays."), None, view! {
                    <input id="cron" name="schedule[cron]" placeholder="0 3 * * 1-5" autocomplete="off" spellcheck="false" required />
                })}
                {field(label("timezone", "timezone", "Time zone", "Such as Europe/Berlin."), None, view! {
                    <input id="timezone" name="schedule[timezone]" value="UTC" autocomplete="off" spellcheck="false" required />
                })}
                {field(label("missed", "missed", "Times that passed while no server ran", ""), None, view! {
                    <select id="missed" name="schedule[missed]">
                        <option value="skip">"Leave them out"</option>
                        <option value="once">"Make up for them with one job"</option>
                    </select>
                })}
                {field(label("job.repository", "schedule-repository", "Repository", ""), None, view! {
                    <input id="schedule-repository" name="schedule[job][repository]" list="repositories"
                        placeholder="https://github.com/owner/name" autocomplete="off" spellcheck="false" required />
                })}
                <datalist id="repositories">
                    {repositories.into_iter().map(|repository| view! { <option value=repository></option> }).collect_view()}
                </datalist>
                {field(label("job.ref", "schedule-ref", "Branch, tag or commit", "Empty for the default branch."), None, view! {
                    <input id="schedule-ref" name="schedule[job][ref]" placeholder="main" autocomplete="off" spellcheck="false" />
                })}
                {choice_field(label("job.kind", "schedule-kind", "What runs", ""), None, view! {
                    <label><input type="radio" name="schedule[job][kind]" value="command" checked /><span>"A script"</span></label>
                    <label><input type="radio" name="schedule[job][kind]" value="agent" /><span>"An agent"</span></label>
                })}
                <div class="for-kind sm:col-span-2" data-kind="command">
                    {field(label("job.script", "schedule-script", "Script", ""), None, view! {
                        <textarea id="schedule-script" name="schedule[job][script]" rows="5" placeholder="cargo test" spellcheck="false"></textarea>
                    })}
                </div>
                <div class="for-kind sm:col-span-2" data-kind="agent">
                    {field(label("job.prompt", "schedule-prompt", "Prompt", "What the agent is to do each time. Each run has a branch of its own."), None, view! {
                        <textarea id="schedule-prompt" name="schedule[job][prompt]" rows="5" placeholder="Update the dependencies and see that the tests pass."></textarea>
                    })}
                    {field(label("job.agent", "schedule-agent", "Agent", ""), None, view! {
                        <select id="schedule-agent" name="schedule[job][agent]">
                            {agents.into_iter().map(|agent| view! { <option value=agent.name>{agent.title}</option> }).collect_view()}
                        </select>
                    })}
                </div>
                <button class="button" data-kind="primary" type="submit">"Make schedule"</button>
            </form>
        </details>
    }
}
