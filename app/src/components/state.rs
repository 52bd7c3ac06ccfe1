//! How a job or an attempt stands, as a shape, a colour and a word.

use leptos::prelude::*;

use super::{Icon, Shape};
use crate::model::{AttemptState, JobState};

pub const fn state_shape(state: JobState) -> Shape {
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
#[component]
pub fn StateIcon(#[prop(into)] state: Signal<JobState>) -> impl IntoView {
    view! {
        <span class="state" data-state=move || state.get().as_str() title=move || state_name(state.get())>
            <Icon shape=Signal::derive(move || state_shape(state.get())) />
            <span class="sr-only">{move || state_name(state.get())}</span>
        </span>
    }
}
