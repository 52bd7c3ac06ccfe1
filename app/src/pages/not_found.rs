//! NotFoundPage.

use leptos::prelude::*;

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <p>"NotFoundPage"</p> }
}
