//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{components::ErrorPage, page_status};

#[component]
pub fn NotFoundPage() -> impl IntoView {
    page_status::set_not_found();
    view! {
        <Title text="Not found" />
        <ErrorPage title="There is no such page" message="The address may be mistyped, or the link may be old." />
    }
}
