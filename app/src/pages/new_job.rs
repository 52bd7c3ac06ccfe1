//! NewJobPage.

use leptos::prelude::*;

#[component]
pub fn NewJobPage() -> impl IntoView {
    view! { <p>"NewJobPage"</p> }
}
