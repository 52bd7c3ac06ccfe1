//! How a job stands, where it came from, and what can be done with it.

use leptos::prelude::*;

use super::{Shown, actions::Actions};
use crate::{
    components::{
        notice::{Notice, Tone},
        state::{StateIcon, state_name},
        time::{Ago, Clocked, Elapsed},
        words::{outlook, repository_name, stage_name, trigger_name},
    },
    model::{Job, JobState, NewJob},
};

#[component]
pub fn Facts(shown: Shown, script: Option<String>) -> impl IntoView {
    let job = shown.job;
    let copy_address = copy_address(&job.read_untracked(), script.as_deref());
    let title = Memo::new(move |_| job.read().title.clone());
    let details = Memo::new(move |_| job.get());

    view! {
        <aside class="facts" aria-label="Facts">
            <header class="facts-head">
                <p class="crumbs"><a href="/">"Board"</a> <span>{move || job.read().id.short()}</span></p>
                <h1>{title}</h1>
                <Standing job />
                {move || shown.problem.get().map(|message| view! { <Notice tone=Tone::Problem>{message}</Notice> })}
                <Actions shown copy_address />
            </header>
            <details class="facts-more" open>
                <summary>"Details"</summary>
                {move || view! { <Details job=details.get() shown /> }}
                {script.map(|script| view! { <h2>"Script"</h2><pre class="script" tabindex="0"><code>{script}</code></pre> })}
            </details>
        </aside>
    }
}

/// State, stage and elapsed time, and what happens next.
#[component]
fn Standing(job: RwSignal<Job>) -> impl IntoView {
    let headline = Memo::new(move |_| match &*job.read() {
        Job { state: JobState::Running, stage: Some(stage), .. } => stage_name(stage),
        job => state_name(job.state).to_owned(),
    });
    let next = Memo::new(move |_| job.with(next_text));
    view! {
        <div class="standing" data-state=move || job.read().state.as_str()>
            <p class="standing-head" aria-live="polite">
                <StateIcon state=Signal::derive(move || job.read().state) />
                <strong>{headline}</strong>
                <span class="standing-time">
                    <Elapsed
                        since=Signal::derive(move || job.read().started_at)
                        until=Signal::derive(move || job.read().finished_at)
                    />
                </span>
            </p>
            <p class="standing-next">{next}</p>
        </div>
    }
}

/// Why it failed, and what comes next.
fn next_text(job: &Job) -> String {
    match &job.error {
        Some(error) if job.state != JobState::Running => format!("{} {}", sentence(error), outlook(job)),
        _ => outlook(job),
    }
}

/// A text that ends like a sentence.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

#[component]
fn Details(job: Job, shown: Shown) -> impl IntoView {
    let commit =
        Memo::new(move |_| shown.attempts.read().iter().rev().find_map(|attempt| attempt.commit.clone()));
    let runner = Memo::new(move |_| shown.attempts.read().last().map(|attempt| attempt.runner.clone()));
    let repository = repository_name(&job.repository).to_owned();
    let asked_by = match job.created_by {
        Some(login) => format!("{login}, {}", trigger_name(job.trigger)),
        None => trigger_name(job.trigger).to_owned(),
    };
    let times = [("Asked", Some(job.created_at)), ("Started", job.started_at), ("Ended", job.finished_at)]
        .into_iter()
        .filter_map(|(label, at)| {
            at.map(|at| {
                fact(label, view! { <Ago at=at /> <span class="exact"><Clocked at /></span> }.into_any())
            })
        })
        .collect_view();
    let attempts = (job.max_attempts > 1)
        .then(|| fact("Attempt", format!("{} of {}", job.attempt, job.max_attempts).into_any()));

    view! {
        <dl>
            {fact("Repository", view! { <span title=job.repository>{repository}</span> }.into_any())}
            {fact("Ref", code(job.git_ref.unwrap_or_else(|| "default branch".to_owned())))}
            {move || commit.get().map(|commit| fact("Commit", code(commit.chars().take(12).collect())))}
            {fact("Asked by", asked_by.into_any())}
            {fact("Kind", job.kind.as_str().into_any())}
            {fact("Priority", job.priority.as_str().into_any())}
            {attempts}
            {times}
            {move || runner.get().map(|runner| fact("Runner", runner.into_any()))}
            {job.exit_code.map(|exit_code| fact("Exit code", code(exit_code.to_string())))}
        </dl>
    }
}

fn fact(label: &'static str, value: AnyView) -> AnyView {
    view! { <div><dt>{label}</dt><dd>{value}</dd></div> }.into_any()
}

fn code(text: String) -> AnyView {
    view! { <code>{text}</code> }.into_any()
}

/// Where a new job starts as a copy of this one.
fn copy_address(job: &Job, script: Option<&str>) -> String {
    NewJob {
        repository: job.repository.clone(),
        git_ref: job.git_ref.clone(),
        script: script.map(str::to_owned),
        priority: Some(job.priority.to_string()),
        ..NewJob::default()
    }
    .address()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_failure_says_why_and_what_can_be_done() {
        let job = Job {
            state: JobState::Failed,
            error: Some("The script ended with exit code 3".to_owned()),
            ..sample::job(1)
        };
        assert_eq!(
            next_text(&job),
            "The script ended with exit code 3. Nothing more happens unless somebody retries it."
        );
    }

    #[test]
    fn a_copy_takes_everything_that_was_asked_for() {
        let job =
            Job { repository: "/srv/a b".to_owned(), git_ref: Some("main".to_owned()), ..sample::job(1) };
        let address = copy_address(&job, Some("a && b\n"));
        for part in ["a%20b", "ref=main", "%26%26%20b%0A", "priority=normal"] {
            assert!(address.contains(part), "{address} lacks {part}");
        }
    }
}
