//! What belongs to a person: browsers, schedules, tokens for programs, and which agents there are. For owners also GitHub and
//! who may come in.

mod agents;
mod github;
mod people;
mod schedules;
mod sessions;
mod tokens;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::{
    agents::agents,
    github::{Shown, github},
    people::people,
    schedules::{Draft, schedules},
    sessions::sessions,
    tokens::tokens,
};
use super::{error::ErrorPage, github_problem::github_problem};
use crate::{
    api, backend,
    components::{Tone, notice},
    model::{Accounts, AgentStatus, ApiError, ApiToken, Person, Role, Schedule, SignedIn},
};

struct Settings {
    me: Person,
    /// What owners have.
    installation: Option<(Shown, Accounts)>,
    signs_in_with_github: bool,
    sessions: Vec<SignedIn>,
    tokens: Vec<ApiToken>,
    schedules: Vec<Schedule>,
    repositories: Vec<String>,
    agents: Vec<AgentStatus>,
}

#[component]
pub fn SettingsPage() -> impl IntoView {
    let (problem, organisation, draft) = use_query_map()
        .with_untracked(|query| (query.get("github"), query.get("organisation"), Draft::read(query)));
    let problem = problem.as_deref().and_then(github_problem);
    view! {
        <Title text="Settings" />
        <Suspense>
            {Suspend::new(async move {
                match load(organisation.unwrap_or_default()).await {
                    Ok(settings) => page(settings, problem, draft).into_any(),
                    Err(error) => view! { <ErrorPage title="The settings cannot be shown" error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

fn page(settings: Settings, problem: Option<&'static str>, draft: Draft) -> impl IntoView {
    let now = backend::now();
    let Settings { me, installation, signs_in_with_github, .. } = settings;
    let installation = installation.map(|(shown, accounts)| {
        view! {
            {github(shown)}
            {people(accounts, me.id, signs_in_with_github, now)}
        }
    });
    view! {
        <div class="page">
            <header class="page-head"><h1>"Settings"</h1></header>
            {problem.map(|problem| notice(Tone::Problem, problem))}
            {installation}
            {agents(&settings.agents)}
            {schedules(settings.schedules, settings.repositories, settings.agents, draft, now)}
            {tokens(settings.tokens, now)}
            {sessions(settings.sessions, now)}
        </div>
    }
}

/// `organisation` is whose GitHub App is to be made; empty for one's own account.
async fn load(organisation: String) -> Result<Settings, ApiError> {
    let me = api::me().await?;
    let installation = match me.role {
        Role::Owner => Some((Shown::load(organisation).await, api::accounts().await?)),
        Role::Member => None,
    };
    Ok(Settings {
        me,
        installation,
        signs_in_with_github: backend::signs_in_with_github().await,
        sessions: api::sessions().await?,
        tokens: api::tokens().await?,
        schedules: api::schedules().await?,
        // Without them the person types the repository.
        repositories: api::repositories().await.unwrap_or_default(),
        agents: api::agents().await?,
    })
}
