//! What belongs to a person, tokens for programs and schedules, and what there is to run: agents.

mod agents;
mod schedules;
mod tokens;

use leptos::prelude::*;
use leptos_meta::Title;

use self::{agents::agents, schedules::schedules, tokens::tokens};
use super::error::ErrorPage;
use crate::{
    api, backend,
    model::{AgentStatus, ApiError, ApiToken, Schedule},
};

#[component]
pub fn SettingsPage() -> impl IntoView {
    view! {
        <Title text="Settings" />
        <Suspense>
            {Suspend::new(async move {
                match load().await {
                    Ok(Known { programs, planned, repositories, installed }) => {
                        let now = backend::now();
                        view! {
                            <div class="page">
                                <header class="page-head"><h1>"Settings"</h1></header>
                                {agents(&installed)}
                                {schedules(planned, repositories, installed, now)}
                                {tokens(programs, now)}
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

/// What the page shows.
struct Known {
    programs: Vec<ApiToken>,
    planned: Vec<Schedule>,
    repositories: Vec<String>,
    installed: Vec<AgentStatus>,
}

async fn load() -> Result<Known, ApiError> {
    Ok(Known {
        programs: api::tokens().await?,
        planned: api::schedules().await?,
        // Without them the person types the repository.
        repositories: api::repositories().await.unwrap_or_default(),
        installed: api::agents().await?,
    })
}
