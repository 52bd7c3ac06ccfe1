//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use super::error::ErrorPage;
use crate::model::ApiError;

#[component]
pub fn NotFoundPage() -> impl IntoView {
    let error = ApiError::NotFound("The address may be mistyped, or the link may be old.".to_owned());
    view! {
        <Title text="Not found" />
        <ErrorPage title="There is no such page" error />
    }
}
