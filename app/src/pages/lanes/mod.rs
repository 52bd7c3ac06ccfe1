//! The operator's page: lanes, runners, how the last hour went, what failed, and clean-up. The server renders all of it, again
//! whenever something changes; its forms are plain ones.

mod charts;
mod clean_up;
mod failures;
mod lane;
mod runners;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::{
    charts::charts,
    clean_up::{CleanUp, clean_up},
    failures::{failures, oldest},
    lane::lane_card,
    runners::runners,
};
use super::error::ErrorPage;
use crate::{
    api, backend,
    components::LiveParts,
    model::{ApiError, Operations},
};

#[component]
pub fn LanesPage() -> impl IntoView {
    let asked = use_query_map().with_untracked(CleanUp::asked_for);
    view! {
        <Title text="Lanes" />
        <Suspense>
            {Suspend::new(async move {
                match api::operations().await {
                    Ok(operations) => page(operations, asked.answer().await).into_any(),
                    Err(error) => {
                        let title = match error {
                            ApiError::Forbidden(_) => "The lanes are for owners",
                            _ => "The lanes cannot be shown",
                        };
                        view! { <ErrorPage title error /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
}

fn page(operations: Operations, cleaning: CleanUp) -> impl IntoView {
    let now = backend::now();
    let Operations { lanes, runners: known, failures: groups, oldest: waiting, history } = operations;
    let kinds: Vec<_> = lanes.iter().map(|lane| lane.kind).collect();
    view! {
        <div class="page">
            <header class="page-head">
                <h1>"Lanes"</h1>
                <p>"Each kind of job has its lane. A paused lane starts nothing; what runs goes on, and what waits is safe."</p>
            </header>
            {lanes.into_iter().map(|lane| lane_card(lane, now)).collect_view()}
            {charts(&history)}
            {runners(known, now)}
            <div class="halves">
                {failures(groups, now)}
                {oldest(waiting, now)}
            </div>
            {clean_up(&kinds, cleaning, now)}
        </div>
        <LiveParts />
    }
}
