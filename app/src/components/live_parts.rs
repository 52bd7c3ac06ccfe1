//! Keeps a page up to date that the server renders.

use leptos::prelude::*;

use crate::live::{LiveState, follow_parts};

/// Shows nothing itself: the parts of the page are renewed when something changes.
#[island]
pub fn LiveParts() -> impl IntoView {
    let state = LiveState::new();
    Effect::new(move |_| follow_parts(state));
}
