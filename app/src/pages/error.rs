//! A whole page that says what is not here.

use leptos::prelude::*;

use crate::{backend, components::Mark, model::ApiError};

/// Sets the status as well.
#[component]
pub fn ErrorPage(#[prop(into)] title: String, error: ApiError) -> impl IntoView {
    backend::set_status(&error);
    view! {
        <section class="error-page">
            <span class="text-muted"><Mark /></span>
            <h1>{title}</h1>
            <p>{error.to_string()}</p>
            <p class="flex flex-wrap gap-2 justify-center">
                <a class="button" data-kind="primary" href="/">"Go to the board"</a>
                <a class="button" href="/new">"New job"</a>
            </p>
        </section>
    }
}
