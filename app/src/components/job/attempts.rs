//! The attempts of a job, the latest first.

use leptos::prelude::*;

use super::Shown;
use crate::{
    components::{
        Icon,
        state::attempt_shape,
        time::{Ago, Elapsed},
    },
    model::{Attempt, JobId},
};

#[component]
pub fn AttemptList(shown: Shown) -> impl IntoView {
    let id = shown.id();
    view! {
        <ol class="attempts">
            <For
                each=move || shown.attempts.get().into_iter().rev()
                key=|attempt| (attempt.attempt, attempt.state)
                children=move |attempt| row(id, attempt)
            />
        </ol>
        <Show when=move || shown.attempts.read().is_empty()>
            <p class="attempts-empty">"None yet: the job waits for its first."</p>
        </Show>
    }
}

fn row(id: JobId, attempt: Attempt) -> impl IntoView {
    let (shape, state, name) = attempt_shape(attempt.state);
    let summary = summary(&attempt);
    view! {
        <li>
            <a href=format!("/jobs/{id}?attempt={}", attempt.attempt)>
                <span class="state" data-state=state><Icon shape /></span>
                <span class="attempt-main">
                    <strong>{format!("Attempt {}", attempt.attempt)}</strong>
                    " "
                    {name}
                    <span class="attempt-summary">{summary}</span>
                </span>
                <span class="attempt-time">
                    <Elapsed since=Some(attempt.started_at) until=attempt.finished_at />
                </span>
                <span class="attempt-time"><Ago at=attempt.started_at /></span>
            </a>
        </li>
    }
}

/// Why it ended as it did, where it ran, and how much it printed.
fn summary(attempt: &Attempt) -> String {
    let lines = attempt.lines.map(|lines| format!("{lines} lines"));
    let commit = attempt
        .commit
        .as_ref()
        .map(|commit| format!("commit {}", commit.chars().take(12).collect::<String>()));
    [attempt.error.clone(), Some(format!("on {}", attempt.runner)), commit, lines]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AttemptState, Timestamp};

    #[test]
    fn an_attempt_is_summed_up_in_one_line() {
        let attempt = Attempt {
            attempt: 2,
            state: AttemptState::Failed,
            runner: "mill-1".to_owned(),
            started_at: Timestamp(0),
            finished_at: Some(Timestamp(1)),
            exit_code: Some(3),
            error: Some("exit code 3".to_owned()),
            commit: Some("0123456789abcdef".to_owned()),
            lines: Some(42),
        };
        assert_eq!(summary(&attempt), "exit code 3 · on mill-1 · commit 0123456789ab · 42 lines");
    }
}
