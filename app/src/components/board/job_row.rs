//! A job as one row of the board.

use leptos::prelude::*;

use crate::components::{
    state::StateIcon,
    time::{Ago, Elapsed},
    words::{repository_name, trigger_name},
};
use crate::model::{Job, JobState};

/// A row that changes in place. `last_line` is the newest output of a running job.
#[component]
pub fn JobRow(job: Memo<Job>, #[prop(into)] last_line: Signal<Option<String>>) -> impl IntoView {
    let field = move |read: fn(&Job) -> String| Memo::new(move |_| read(&job.read()));
    let title = field(|job| job.title.clone());
    let source = field(source_text);
    let asked_by = field(asked_by_text);
    let attempt = field(attempt_text);
    let short = job.read_untracked().id.short();
    let address = format!("/jobs/{}", job.read_untracked().id);
    let running = Memo::new(move |_| job.read().state == JobState::Running);

    view! {
        <li class="job-row" data-state=move || job.read().state.as_str()>
            <StateIcon state=Signal::derive(move || job.read().state) />
            <div class="job-main">
                <a class="job-title" href=address>{title}</a>
                <p class="job-meta">
                    <span class="job-source">{source}</span>
                    <span class="job-short">{short}</span>
                    <span class="job-attempt">{attempt}</span>
                </p>
                {move || running.get().then(|| view! { <p class="job-line">{move || last_line.get().unwrap_or_default()}</p> })}
            </div>
            <span class="job-person">{asked_by}</span>
            <span class="job-duration">
                <Elapsed
                    since=Signal::derive(move || job.read().started_at)
                    until=Signal::derive(move || job.read().finished_at)
                />
            </span>
            <span class="job-age">
                <Ago at=Signal::derive(move || row_time(&job.read())) />
            </span>
        </li>
    }
}

/// The time that says most about a job: when it ended, or when it was asked for.
fn row_time(job: &Job) -> crate::model::Timestamp {
    job.finished_at.unwrap_or(job.created_at)
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
