//! Schedules: jobs that the clock makes.

use leptos::{either::Either, prelude::*};
use leptos_router::params::ParamsMap;
use server_fn::ServerFn;

use crate::{
    api::{CreateSchedule, DeleteSchedule},
    components::{Shape, icon, time::moment, words::repository_name},
    model::{AgentStatus, ApiError, JobId, Kind, NewSchedule, Schedule, Timestamp},
    pages::{
        field::{Label, choice_field, field},
        new_job::draft_from,
        refusal::refusal,
    },
};

/// What the form is filled with: what was typed before it was refused, and why it was.
pub struct Draft {
    schedule: NewSchedule,
    refusal: Option<ApiError>,
}

impl Draft {
    pub fn read(query: &ParamsMap) -> Self {
        let schedule = NewSchedule {
            name: query.get("name").unwrap_or_default(),
            cron: query.get("cron").unwrap_or_default(),
            timezone: query.get("timezone"),
            missed: query.get("missed"),
            job: draft_from(query),
        };
        Self { schedule, refusal: refusal::<CreateSchedule>(query) }
    }
}

pub fn schedules(
    schedules: Vec<Schedule>,
    repositories: Vec<String>,
    agents: Vec<AgentStatus>,
    draft: Draft,
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
            {make(draft, repositories, agents)}
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

fn make(draft: Draft, repositories: Vec<String>, agents: Vec<AgentStatus>) -> impl IntoView {
    let Draft { schedule: NewSchedule { name, cron, timezone, missed, job }, refusal } = draft;
    let refusal = refusal.as_ref();
    let timezone = timezone.unwrap_or_else(|| "UTC".to_owned());
    let kind = job.kind.parse().unwrap_or(Kind::Command);
    view! {
        <details class="setting-more" id="new-schedule" open=refusal.is_some()>
            <summary>{icon(Shape::Plus)} "New schedule"</summary>
            <form class="setting-fields" method="post" action=CreateSchedule::url() data-live="">
                {field(label("name", "schedule-name", "Name", ""), refusal, view! {
                    <input id="schedule-name" name="schedule[name]" value=name maxlength="100" autocomplete="off" required />
                })}
                {field(label("cron", "cron", "When", "Minute, hour, day, month, weekday: 0 3 * * 1-5 is three o'clock on workdays."), refusal, view! {
                    <input id="cron" name="schedule[cron]" value=cron placeholder="0 3 * * 1-5" autocomplete="off" spellcheck="false" required />
                })}
                {field(label("timezone", "timezone", "Time zone", "Such as Europe/Berlin."), refusal, view! {
                    <input id="timezone" name="schedule[timezone]" value=timezone autocomplete="off" spellcheck="false" required />
                })}
                {field(label("missed", "missed", "Times that passed while no server ran", ""), refusal, view! {
                    <select id="missed" name="schedule[missed]">
                        <option value="skip">"Leave them out"</option>
                        <option value="once" selected=missed.as_deref() == Some("once")>"Make up for them with one job"</option>
                    </select>
                })}
                {field(label("job.repository", "schedule-repository", "Repository", ""), refusal, view! {
                    <input id="schedule-repository" name="schedule[job][repository]" value=job.repository list="repositories"
                        placeholder="https://github.com/owner/name" autocomplete="off" spellcheck="false" required />
                })}
                <datalist id="repositories">
                    {repositories.into_iter().map(|repository| view! { <option value=repository></option> }).collect_view()}
                </datalist>
                {field(label("job.ref", "schedule-ref", "Branch, tag or commit", "Empty for the default branch."), refusal, view! {
                    <input id="schedule-ref" name="schedule[job][ref]" value=job.git_ref placeholder="main" autocomplete="off" spellcheck="false" />
                })}
                {choice_field(label("job.kind", "schedule-kind", "What runs", ""), refusal, view! {
                    <label><input type="radio" name="schedule[job][kind]" value="command" checked=kind == Kind::Command /><span>"A script"</span></label>
                    <label><input type="radio" name="schedule[job][kind]" value="agent" checked=kind == Kind::Agent /><span>"An agent"</span></label>
                })}
                {for_commands(job.script, refusal)}
                {for_agents(job.prompt, job.agent, agents, refusal)}
                <button class="button" data-kind="primary" type="submit">"Make schedule"</button>
            </form>
        </details>
    }
}

fn for_commands(script: Option<String>, refusal: Option<&ApiError>) -> impl IntoView + use<> {
    view! {
        <div class="for-kind sm:col-span-2" data-kind="command">
            {field(label("job.script", "schedule-script", "Script", ""), refusal, view! {
                <textarea id="schedule-script" name="schedule[job][script]" rows="5" placeholder="cargo test" spellcheck="false">{script}</textarea>
            })}
        </div>
    }
}

fn for_agents(
    prompt: Option<String>,
    chosen: Option<String>,
    agents: Vec<AgentStatus>,
    refusal: Option<&ApiError>,
) -> impl IntoView + use<> {
    let options = agents.into_iter().map(|agent| {
        let selected = chosen.as_deref() == Some(agent.name.as_str());
        view! { <option value=agent.name selected=selected>{agent.title}</option> }
    });
    view! {
        <div class="for-kind sm:col-span-2" data-kind="agent">
            {field(label("job.prompt", "schedule-prompt", "Prompt", "What the agent is to do each time. Each run has a branch of its own."), refusal, view! {
                <textarea id="schedule-prompt" name="schedule[job][prompt]" rows="5" placeholder="Update the dependencies and see that the tests pass.">{prompt}</textarea>
            })}
            {field(label("job.agent", "schedule-agent", "Agent", ""), refusal, view! {
                <select id="schedule-agent" name="schedule[job][agent]">{options.collect_view()}</select>
            })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use leptos_router::location::RequestUrl;

    use super::*;
    use crate::model::NewJob;

    #[test]
    fn a_draft_comes_back_from_its_address_as_it_was() {
        let schedule = NewSchedule {
            name: "At night & on Sundays".to_owned(),
            cron: "0 3 * * 1-5".to_owned(),
            timezone: Some("Europe/Berlin".to_owned()),
            missed: Some("once".to_owned()),
            job: NewJob {
                kind: "agent".to_owned(),
                repository: "/srv/a b?".to_owned(),
                git_ref: Some("main".to_owned()),
                script: Some("a && b\n# 100 %\n".to_owned()),
                prompt: Some("Why?\n- because".to_owned()),
                agent: Some("codex".to_owned()),
                ..NewJob::default()
            },
        };
        let address = schedule.address();
        assert!(address.ends_with("#new-schedule"), "{address}");
        let address = RequestUrl::new(&address).parse().unwrap();
        assert_eq!(address.path(), "/settings");
        assert_eq!(Draft::read(address.search_params()).schedule, schedule);
    }
}
