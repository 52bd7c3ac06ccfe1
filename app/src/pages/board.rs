//! BoardPage.

use leptos::prelude::*;

#[component]
pub fn BoardPage() -> impl IntoView {
    view! { <p>"BoardPage"</p> }
}
