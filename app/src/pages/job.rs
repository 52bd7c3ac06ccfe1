//! JobPage.

use leptos::prelude::*;

#[component]
pub fn JobPage() -> impl IntoView {
    view! { <p>"JobPage"</p> }
}
