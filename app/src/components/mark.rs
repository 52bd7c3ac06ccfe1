//! The mark: a wheel in its race.

use leptos::prelude::*;

#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M12 4.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11M12 1.5v3M12 15.5v2M3.5 10h3M17.5 10h3M6 4l2.1 2.1M15.9 6.1L18 4M6 16l2.1-2.1M15.9 13.9L18 16M12 10h.01" />
            <path class="water" d="M1.5 20.5c1.75 0 1.75 1.75 3.5 1.75s1.75-1.75 3.5-1.75S10.25 22.25 12 22.25s1.75-1.75 3.5-1.75s1.75 1.75 3.5 1.75s1.75-1.75 3.5-1.75" />
        </svg>
    }
}
