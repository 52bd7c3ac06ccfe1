//! What belongs to a person: tokens for programs, and schedules.

mod schedules;
mod tokens;

use leptos::prelude::*;
use leptos_meta::Title;

use self::{schedules::schedules, tokens::tokens};
use super::error::ErrorPage;
use crate::{
    api, backend,
    model::{ApiError, ApiToken, Schedule},
};

#[component]
pub fn SettingsPage() -> impl IntoView {
    view! {
        <Title text="Settings" />
        <Suspense>
            {Suspend::new(async move {
                match load().await {
                    Ok((known, planned, repositories)) => {
                        let now = backend::now();
                        view! {
                            <div class="page">
                                <header class="page-head"><h1>"Settings"</h1></header>
                                {tokens(known, now)}
                                {schedules(planned, repositories, now)}
                            </div>
                        }
                        .into_any()
                    }
                    Err(error) => view! { <ErrorPage title="The settings cannot be shown" error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

async fn load() -> Result<(Vec<ApiToken>, Vec<Schedule>, Vec<String>), ApiError> {
    // Without them the person types the repository.
    let repositories = api::repositories().await.unwrap_or_default();
    Ok((api::tokens().await?, api::schedules().await?, repositories))
}
