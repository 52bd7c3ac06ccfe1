//! The drop in the top bar: filled while the page is live.

use leptos::prelude::*;

use crate::live::LiveState;

#[component]
pub fn ConnectionDrop() -> impl IntoView {
    let state = LiveState::of_page();
    view! {
        <span class="drop" role="status" data-connection=move || state.get().as_str() title=move || state.get().label()>
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
                <path d="M8 1.75c2.6 3.1 4.5 5.35 4.5 7.75a4.5 4.5 0 0 1-9 0c0-2.4 1.9-4.65 4.5-7.75" />
            </svg>
            <span class="sr-only">{move || state.get().label()}</span>
        </span>
    }
}
