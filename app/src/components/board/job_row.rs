//! A job as one row of the board.

use leptos::prelude::*;

use crate::{
    components::{
        state::job_icon,
        time::{ago, elapsed},
        words::{agent_title, pull_request_name, repository_name, trigger_name},
    },
    live::Clock,
    model::{Job, JobState, Timestamp},
};

/// What a row shows. `last_line` is the newest output of a running job.
pub fn job_row(clock: Clock, job: &Job, last_line: Option<String>) -> impl IntoView + use<> {
    let running = job.state == JobState::Running;
    let line = running.then(|| view! { <p class="job-line">{last_line.unwrap_or_default()}</p> });
    let progress = job.progress.filter(|_| running).map(|percent| {
        view! { <progress class="progress" max="100" value=percent aria-label="Progress">{percent} " %"</progress> }
    });
    let pull_request = job.pull_request.clone().map(|address| {
        let name = pull_request_name(&address);
        view! { <a class="job-pull" href=address title="Pull request">{name}</a> }
    });
    let agent = job.agent.as_deref().map(|agent| {
        view! { <span class="job-agent">{agent_title(agent).to_owned()}</span> }
    });
    view! {
        {job_icon(job)}
        <div class="job-main">
            <a class="job-title" href=format!("/jobs/{}", job.id)>{job.title.clone()}</a>
            <p class="job-meta">
                <span class="job-source">{source_text(job)}</span>
                {agent}
                <span class="job-short">{job.id.short()}</span>
                <span class="job-attempt">{attempt_text(job)}</span>
                {pull_request}
            </p>
            {line}
            {progress}
        </div>
        <span class="job-person">{asked_by_text(job)}</span>
        <span class="job-duration">{elapsed(clock, job.standing_since(), job.finished_at)}</span>
        <span class="job-age">{ago(clock, row_time(job))}</span>
    }
}

/// The time that says most about a job: when it ended, when it starts, or when it was asked for.
fn row_time(job: &Job) -> Timestamp {
    let starts = job.run_at.filter(|_| job.state == JobState::Scheduled);
    job.finished_at.or(starts).unwrap_or(job.created_at)
}

fn source_text(job: &Job) -> String {
    let repository = repository_name(&job.repository);
    match &job.git_ref {
        Some(git_ref) => format!("{repository} @ {git_ref}"),
        None => repository.to_owned(),
    }
}

fn asked_by_text(job: &Job) -> String {
    let trigger = trigger_name(job.trigger);
    match &job.created_by {
        Some(login) => format!("{login}, {trigger}"),
        None => trigger.to_owned(),
    }
}

/// Which attempt it is, where that is news.
fn attempt_text(job: &Job) -> String {
    if job.attempt > 1 { format!("attempt {}", job.attempt) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_row_names_repository_ref_and_person() {
        let job = Job {
            git_ref: Some("main".to_owned()),
            created_by: Some("ada".to_owned()),
            repository: "https://github.com/rust-lang/log".to_owned(),
            ..sample::job(1)
        };
        assert_eq!(source_text(&job), "rust-lang/log @ main");
        assert_eq!(asked_by_text(&job), "ada, dashboard");
    }

    #[test]
    fn only_a_repeated_attempt_is_mentioned() {
        assert_eq!(attempt_text(&Job { attempt: 1, ..sample::job(1) }), "");
        assert_eq!(attempt_text(&Job { attempt: 2, ..sample::job(1) }), "attempt 2");
    }
}
