//! The first page: how the work goes, and all jobs.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{hooks::use_query_map, params::ParamsMap};

use super::error::ErrorPage;
use crate::{
    api,
    components::{BoardView, Given},
    model::{ApiError, Board, JobFilter, Person, Role},
};

#[component]
pub fn BoardPage() -> impl IntoView {
    let filter = use_query_map().with_untracked(filter_from);
    view! {
        <Title text="" />
        <Suspense>
            {Suspend::new(async move {
                match load(&filter).await {
                    Ok((board, person)) => {
                        // Without them the board has no choice of one.
                        let repositories = api::repositories().await.unwrap_or_default();
                        let may_resume = person.role == Role::Owner;
                        view! { <BoardView board=Given(board) filter=Given(filter) repositories may_resume /> }
                    }
                    .into_any(),
                    Err(error) => view! { <ErrorPage title="The board cannot be shown" error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

async fn load(filter: &JobFilter) -> Result<(Board, Person), ApiError> {
    Ok((api::board(filter.clone()).await?, api::me().await?))
}

/// The filter that an address asks for; words that are none of ours are left out.
fn filter_from(query: &ParamsMap) -> JobFilter {
    let text = |key| query.get(key).filter(|value: &String| !value.trim().is_empty());
    JobFilter {
        state: text("state").and_then(|word| word.parse().ok()),
        kind: text("kind").and_then(|word| word.parse().ok()),
        repository: text("repository"),
        q: text("q"),
        cursor: text("cursor"),
        ..JobFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobState, Kind};

    fn query(pairs: &[(&str, &str)]) -> ParamsMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_address_says_what_to_list() {
        let filter = filter_from(&query(&[
            ("state", "failed"),
            ("kind", "command"),
            ("repository", "/srv/a"),
            ("q", "a&b c"),
            ("cursor", "17.x.mark"),
        ]));
        let expected = JobFilter {
            state: Some(JobState::Failed),
            kind: Some(Kind::Command),
            repository: Some("/srv/a".to_owned()),
            q: Some("a&b c".to_owned()),
            cursor: Some("17.x.mark".to_owned()),
            limit: None,
        };
        assert_eq!(filter, expected);
    }

    #[test]
    fn unknown_words_and_blanks_filter_nothing() {
        assert_eq!(filter_from(&query(&[("state", "lost"), ("q", " ")])), JobFilter::default());
    }
}
