//! How a job or an attempt stands, as a shape, a colour and a word.

use leptos::prelude::*;

use super::{Shape, icon};
use crate::model::{AttemptState, JobState};

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

/// An attempt's shape, the state whose colour it has, and its word.
pub const fn attempt_shape(state: AttemptState) -> (Shape, &'static str, &'static str) {
    match state {
        AttemptState::Running => (Shape::Arc, "running", "Running"),
        AttemptState::Succeeded => (Shape::Check, "succeeded", "Succeeded"),
        AttemptState::Failed => (Shape::Cross, "failed", "Failed"),
        AttemptState::Canceled => (Shape::Slash, "canceled", "Canceled"),
        AttemptState::Lost => (Shape::Warning, "parked", "Runner lost"),
    }
}

/// The state of a job as an icon that names itself to screen readers.
pub fn state_icon(state: JobState) -> impl IntoView {
    view! {
        <span class="state" data-state=state.as_str() title=state_name(state)>
            {icon(state_shape(state))}
            <span class="sr-only">{state_name(state)}</span>
        </span>
    }
}
