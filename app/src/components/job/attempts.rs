//! The attempts of a job, the latest first.

use leptos::prelude::*;

use super::shown::Shown;
use crate::{
    components::{
        icon,
        state::attempt_shape,
        time::{ago, elapsed},
    },
    live::Clock,
    model::{Attempt, JobId},
};

pub fn attempt_list(shown: Shown, clock: Clock) -> impl IntoView {
    let id = shown.id();
    let rows = move || {
        shown
            .attempts
            .with(|attempts| attempts.iter().rev().map(|attempt| row(id, clock, attempt)).collect_view())
    };
    view! {
        <ol class="attempts">{rows}</ol>
        <p class="attempts-empty" hidden=move || !shown.attempts.read().is_empty()>
            "None yet: the job waits for its first."
        </p>
    }
}

fn row(id: JobId, clock: Clock, attempt: &Attempt) -> impl IntoView + use<> {
    let (shape, state, name) = attempt_shape(attempt);
    view! {
        <li>
            <a href=format!("/jobs/{id}?attempt={}", attempt.attempt)>
                <span class="state" data-state=state>{icon(shape)}</span>
                <span class="attempt-main">
                    <strong>{format!("Attempt {}", attempt.attempt)}</strong>
                    " "
                    {name}
                    <span class="attempt-summary">{summary(attempt)}</span>
                </span>
                <span class="attempt-time">{elapsed(clock, Some(attempt.started_at), attempt.finished_at)}</span>
                <span class="attempt-time">{ago(clock, attempt.started_at)}</span>
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
    let error = attempt.error.as_deref().map(|error| error.trim_end_matches('.').to_owned());
    [error, Some(format!("on {}", attempt.runner)), commit, lines]
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
            error: Some("exit code 3.".to_owned()),
            commit: Some("0123456789abcdef".to_owned()),
            lines: Some(42),
            agent: None,
        };
        assert_eq!(summary(&attempt), "exit code 3 · on mill-1 · commit 0123456789ab · 42 lines");
    }
}
