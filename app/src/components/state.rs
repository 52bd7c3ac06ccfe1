//! How a job or an attempt stands, as a shape, a colour and a word.

use leptos::prelude::*;

use super::{Shape, icon};
use crate::model::{AgentOutcome, Attempt, AttemptState, Job, JobState};

const fn state_shape(state: JobState) -> Shape {
    match state {
        JobState::Scheduled => Shape::Clock,
        JobState::Queued => Shape::Ring,
        JobState::Running => Shape::Arc,
        JobState::Succeeded => Shape::Check,
        JobState::Failed => Shape::Cross,
        JobState::Canceled => Shape::Slash,
        JobState::Parked => Shape::Pause,
    }
}

pub const fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Scheduled => "Scheduled",
        JobState::Queued => "Waiting",
        JobState::Running => "Running",
        JobState::Succeeded => "Succeeded",
        JobState::Failed => "Failed",
        JobState::Canceled => "Canceled",
        JobState::Parked => "Parked",
    }
}

/// An agent that left nothing to commit is no green success.
const NO_CHANGE: (Shape, &str, &str) = (Shape::Dash, "canceled", "No change");

/// An attempt's shape, the state whose colour it has, and its word.
pub fn attempt_shape(attempt: &Attempt) -> (Shape, &'static str, &'static str) {
    let outcome = attempt.agent.as_ref().and_then(|run| run.outcome);
    match attempt.state {
        AttemptState::Succeeded if outcome == Some(AgentOutcome::NoChange) => NO_CHANGE,
        AttemptState::Running => (Shape::Arc, "running", "Running"),
        AttemptState::Succeeded => (Shape::Check, "succeeded", "Succeeded"),
        AttemptState::Failed => (Shape::Cross, "failed", "Failed"),
        AttemptState::Canceled => (Shape::Slash, "canceled", "Canceled"),
        AttemptState::Lost => (Shape::Warning, "parked", "Runner lost"),
    }
}

/// A job's shape, the state whose colour it has, and its word.
pub fn job_shape(job: &Job) -> (Shape, &'static str, &'static str) {
    match (job.state, job.outcome) {
        (JobState::Succeeded, Some(AgentOutcome::NoChange)) => NO_CHANGE,
        (state, _) => (state_shape(state), state.as_str(), state_name(state)),
    }
}

/// How a job stands, as an icon that names itself to screen readers.
pub fn job_icon(job: &Job) -> impl IntoView + use<> {
    named_icon(job_shape(job))
}

/// A state by itself, where there is no job at hand.
pub fn state_icon(state: JobState) -> impl IntoView {
    named_icon((state_shape(state), state.as_str(), state_name(state)))
}

fn named_icon((shape, colour, word): (Shape, &'static str, &'static str)) -> impl IntoView + use<> {
    view! {
        <span class="state" data-state=colour title=word>
            {icon(shape)}
            <span class="sr-only">{word}</span>
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn no_change_has_a_shape_of_its_own() {
        let no_change =
            Job { state: JobState::Succeeded, outcome: Some(AgentOutcome::NoChange), ..sample::job(1) };
        let (shape, _, word) = job_shape(&no_change);
        assert_eq!(word, "No change");
        for state in JobState::ALL {
            assert_ne!(shape, state_shape(*state), "{state} looks the same");
        }
    }
}
