//! How a job stands, where it came from, and what can be done with it.

use leptos::prelude::*;

use super::{Request, actions::actions, agent_facts::agent_facts, shown::Shown};
use crate::{
    components::{
        copy::copy_button,
        state::{job_icon, job_shape},
        time::{ago, duration_text, elapsed, upcoming, utc_text},
        words::{outlook_parts, pull_request_name, remaining, sentence, thread_name, trigger_name},
    },
    live::Clock,
    model::{Attempt, Job, JobState, Kind, NewJob, Timestamp},
};

/// `asked` is the script or the prompt, by the job's kind; `asked_in` where at GitHub somebody asked for it; `pinned` is the
/// attempt that the address names.
pub fn facts(
    shown: Shown,
    clock: Clock,
    asked: Option<Request>,
    asked_in: Option<String>,
    pinned: Option<u32>,
    waiting: Children,
) -> impl IntoView {
    let job = shown.job;
    let (title, short, kind, copy_address) = job.with_untracked(|job| {
        // Rather without it than with half of it.
        let whole = asked.as_ref().filter(|asked| !asked.is_cut).map(|asked| asked.text.as_str());
        (job.title.clone(), job.id.short(), job.kind, copy_address(job, whole))
    });
    let asked_name = match kind {
        Kind::Agent => "Prompt",
        Kind::Command => "Script",
    };

    view! {
        <aside class="facts" aria-label="Facts">
            <header class="facts-head">
                <p class="crumbs"><a href="/">"Board"</a> <span>{short}</span></p>
                <h1>{title}</h1>
                <div class="standing" data-state=move || job.read().state.as_str()>
                    {move || standing(clock, shown)}
                    {waiting()}
                </div>
                {actions(shown, copy_address)}
            </header>
            <input class="sr-only facts-toggle" type="checkbox" id="facts-toggle" />
            <label class="facts-label" for="facts-toggle">"Details"</label>
            <div class="facts-more">
                <dl>
                    {asked_in.map(|address| {
                        let name = thread_name(&address);
                        view! { <div><dt>"Asked in"</dt><dd><a class="link" href=address>{name}</a></dd></div> }
                    })}
                    {move || details(clock, &job.read(), shown.attempt(pinned).as_ref())}
                </dl>
                {asked.map(|Request { text, is_cut }| view! {
                    <h2>{asked_name}</h2>
                    <pre class="script" data-kind=kind.as_str() tabindex="0"><code>{text}</code></pre>
                    {is_cut.then(|| view! { <p>"This is its beginning; the API has all of it."</p> })}
                })}
            </div>
        </aside>
    }
}

/// State, stage and elapsed time, and what happens next.
fn standing(clock: Clock, shown: Shown) -> impl IntoView {
    let job = shown.job.get();
    let (_, _, word) = job_shape(&job);
    let (next, at) = next_parts(&job);
    let left = move || {
        let (now, usual) = (clock.now()?, shown.usual_ms.get_value());
        shown.job.with(|job| remaining(job, usual, now)).map(|left| format!(" {left}"))
    };
    view! {
        <p class="standing-head">
            {job_icon(&job)}
            <strong role="status">{word}</strong>
            <span class="standing-time">{elapsed(clock, job.standing_since(), job.finished_at)}</span>
        </p>
        {job.progress.filter(|_| job.state == JobState::Running).map(|percent| view! {
            <progress class="progress" max="100" value=percent aria-label="Progress">{percent} " %"</progress>
        })}
        <p class="standing-next">{next}{at.map(|at| (" ", upcoming(clock, at), "."))}{left}</p>
        {job.pull_request.map(|address| view! {
            <p><a href=address.clone()>"Pull request " {pull_request_name(&address)}</a></p>
        })}
    }
}

/// Why it failed, and what comes next, with the time that this ends with.
fn next_parts(job: &Job) -> (String, Option<Timestamp>) {
    let (next, at) = outlook_parts(job);
    let error = job.error.as_deref().filter(|_| job.state != JobState::Running);
    let text = match error {
        Some(error) => format!("{} {next}", sentence(error)),
        None => next,
    };
    (text, at)
}

/// Of the job, and of the attempt on the page once there is one.
fn details(clock: Clock, job: &Job, attempt: Option<&Attempt>) -> impl IntoView + use<> {
    let asked_by = match &job.created_by {
        Some(login) => format!("{login}, {}", trigger_name(job.trigger)),
        None => trigger_name(job.trigger).to_owned(),
    };
    let commit =
        attempt.and_then(|attempt| attempt.commit.as_ref()).map(|commit| commit.chars().take(12).collect());
    let (started, ended) = attempt
        .map_or((job.started_at, job.finished_at), |attempt| (Some(attempt.started_at), attempt.finished_at));
    let exit_code = attempt.map_or(job.exit_code, |attempt| attempt.exit_code);
    let number = attempt.map_or(job.attempt, |attempt| attempt.attempt);
    let is_latest = number == job.attempt;
    let texts = [
        ("Repository", Some(job.repository.clone())),
        ("Ref", Some(job.git_ref.clone().unwrap_or_else(|| "default branch".to_owned()))),
        ("Commit", commit),
        ("Asked by", Some(asked_by)),
        ("Kind", Some(job.kind.to_string())),
        ("Priority", Some(job.priority.to_string())),
        ("Attempt", (number > 0).then(|| number.to_string())),
        ("Runner", attempt.map(|attempt| attempt.runner.clone())),
        ("Exit code", exit_code.map(|code| code.to_string())),
        // Of earlier attempts nobody has noted it.
        ("Queue time", lasted(job.queued_at, job.started_at).filter(|_| is_latest)),
        ("Run time", lasted(started, ended)),
    ]
    .into_iter()
    .chain(agent_facts(job, attempt))
    .filter_map(|(label, value)| value.map(|value| (label, value)))
    .map(|(label, value)| view! { <div><dt>{label}</dt><dd>{value}</dd></div> });

    let starts = job.run_at.filter(|_| job.state == JobState::Scheduled);
    let times = [("Asked", Some(job.created_at)), ("Starts", starts), ("Started", started), ("Ended", ended)]
        .into_iter()
        .filter_map(|(label, at)| at.map(|at| (label, at)))
        .map(|(label, at)| {
            view! {
                <div><dt>{label}</dt><dd>{ago(clock, at)} <span class="exact">{utc_text(at)}</span></dd></div>
            }
        });
    let branch = job.branch.clone().map(|branch| {
        view! { <div><dt>"Branch"</dt><dd><code id="branch">{branch}</code>{copy_button("branch")}</dd></div> }
    });
    let pull_request = job.pull_request.clone().map(|address| {
        let name = pull_request_name(&address);
        view! { <div><dt>"Pull request"</dt><dd><a href=address>{name}</a></dd></div> }
    });
    (pull_request, branch, texts.collect_view(), times.collect_view())
}

/// How long it was from one to the other. A job that is retried entered the queue after it started.
fn lasted(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<String> {
    let millis = to?.millis_since(from?);
    (millis >= 0).then(|| duration_text(millis))
}

/// Where a new job starts as a copy of this one. It begins anew: it continues no conversation.
fn copy_address(job: &Job, asked: Option<&str>) -> String {
    let asked_as = |kind| asked.filter(|_| job.kind == kind).map(str::to_owned);
    NewJob {
        kind: job.kind.to_string(),
        repository: job.repository.clone(),
        git_ref: job.git_ref.clone(),
        script: asked_as(Kind::Command),
        prompt: asked_as(Kind::Agent),
        agent: job.agent.clone(),
        model: job.model.clone(),
        priority: Some(job.priority.to_string()),
        max_attempts: Some(job.max_attempts),
        ..NewJob::default()
    }
    .address()
}

#[cfg(test)]
mod tests {
    use leptos_router::location::RequestUrl;

    use super::*;
    use crate::{
        model::{Priority, sample},
        pages::draft_from,
    };

    #[test]
    fn a_failure_says_why_and_what_can_be_done() {
        let job = Job {
            state: JobState::Failed,
            error: Some("The script ended with exit code 3".to_owned()),
            ..sample::job(1)
        };
        assert_eq!(
            next_parts(&job).0,
            "The script ended with exit code 3. Nothing more happens unless somebody retries it."
        );
    }

    #[test]
    fn a_copy_takes_everything_that_was_asked_for() {
        let script = Job {
            repository: "/srv/a b".to_owned(),
            git_ref: Some("main".to_owned()),
            max_attempts: 3,
            ..sample::job(1)
        };
        let expected = NewJob {
            kind: "command".to_owned(),
            repository: "/srv/a b".to_owned(),
            git_ref: Some("main".to_owned()),
            script: Some("a && b\n".to_owned()),
            priority: Some("normal".to_owned()),
            max_attempts: Some(3),
            ..NewJob::default()
        };
        assert_eq!(draft_of_copy(&script, "a && b\n"), expected);

        let agent = Job {
            kind: Kind::Agent,
            agent: Some("codex".to_owned()),
            model: Some("a/b:c".to_owned()),
            priority: Priority::High,
            parent: Some(sample::job(2).id),
            ..script
        };
        let expected = NewJob {
            kind: "agent".to_owned(),
            script: None,
            prompt: Some("Why?\n- because & so".to_owned()),
            agent: Some("codex".to_owned()),
            model: Some("a/b:c".to_owned()),
            priority: Some("high".to_owned()),
            ..expected
        };
        assert_eq!(draft_of_copy(&agent, "Why?\n- because & so"), expected);
    }

    /// What the form is filled with that a copy leads to.
    fn draft_of_copy(job: &Job, asked: &str) -> NewJob {
        let address = RequestUrl::new(&copy_address(job, Some(asked))).parse().unwrap();
        assert_eq!(address.path(), "/new");
        draft_from(address.search_params())
    }
}
