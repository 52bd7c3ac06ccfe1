//! Which jobs the board lists. The filter lives in the address, so that it can be shared and works without the WASM.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate, location::Url, params::ParamsMap};

use super::{Icon, Shape, state_name};
use crate::model::{JobFilter, JobState, Kind};

const STATES: [Option<JobState>; 6] = [
    None,
    Some(JobState::Running),
    Some(JobState::Queued),
    Some(JobState::Succeeded),
    Some(JobState::Failed),
    Some(JobState::Canceled),
];

/// The filter that an address asks for; words that are none of ours are left out.
pub fn filter_from(query: &ParamsMap) -> JobFilter {
    let text = |key| query.get(key).filter(|value: &String| !value.trim().is_empty());
    JobFilter {
        state: text("state").and_then(|word| word.parse().ok()),
        kind: text("kind").and_then(|word| word.parse().ok()),
        repository: text("repository"),
        q: text("q"),
        ..JobFilter::default()
    }
}

/// The address of the board under a filter.
pub fn filter_address(filter: &JobFilter) -> String {
    let parts = [
        ("state", filter.state.map(|state| state.as_str().to_owned())),
        ("kind", filter.kind.map(|kind| kind.as_str().to_owned())),
        ("repository", filter.repository.clone()),
        ("q", filter.q.clone()),
    ];
    let query: Vec<_> = parts
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={}", Url::escape(&value))))
        .collect();
    if query.is_empty() { "/".to_owned() } else { format!("/?{}", query.join("&")) }
}

#[component]
pub fn BoardFilters(filter: Memo<JobFilter>, #[prop(into)] kinds: Signal<Vec<Kind>>) -> impl IntoView {
    let navigate = use_navigate();
    let search = debounce(Duration::from_millis(200), move |text: String| {
        let q = Some(text).filter(|text| !text.trim().is_empty());
        let address = filter_address(&JobFilter { q, ..filter.get_untracked() });
        navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    let states = STATES
        .map(|state| {
            let label = state.map_or("All", state_name);
            let address = move || filter_address(&JobFilter { state, ..filter.get() });
            view! { <FilterLink label address=Signal::derive(address) current=Signal::derive(move || filter.read().state == state) /> }
        })
        .into_iter()
        .collect_view();

    view! {
        <div class="filters">
            <nav class="segments" aria-label="State">{states}</nav>
            {move || {
                let kinds = kinds.get();
                (kinds.len() > 1).then(|| view! { <nav class="segments" aria-label="Kind">{kind_links(filter, kinds)}</nav> })
            }}
            <form class="filter-text" method="get" action="/" role="search">
                {move || filter.read().state.map(|state| view! { <input type="hidden" name="state" value=state.as_str() /> })}
                {move || filter.read().kind.map(|kind| view! { <input type="hidden" name="kind" value=kind.as_str() /> })}
                <Icon shape=Shape::Search />
                <input
                    type="search"
                    name="q"
                    aria-label="Title or repository"
                    placeholder="Title or repository"
                    autocomplete="off"
                    value=filter.get_untracked().q
                    on:input={
                        let mut search = search;
                        move |event| search(event_target_value(&event))
                    }
                />
            </form>
        </div>
    }
    .into_any()
}

fn kind_links(filter: Memo<JobFilter>, kinds: Vec<Kind>) -> impl IntoView {
    std::iter::once(None)
        .chain(kinds.into_iter().map(Some))
        .map(|kind| {
            let label = kind.map_or("Any kind", Kind::as_str);
            let address = move || filter_address(&JobFilter { kind, ..filter.get() });
            view! { <FilterLink label address=Signal::derive(address) current=Signal::derive(move || filter.read().kind == kind) /> }
        })
        .collect_view()
}

#[component]
fn FilterLink(label: &'static str, address: Signal<String>, current: Signal<bool>) -> impl IntoView {
    view! {
        <a href=address data-noscroll="" aria-current=move || current.get().then_some("true")>
            {label}
        </a>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_filter_say_the_same() {
        let filter = JobFilter {
            state: Some(JobState::Failed),
            kind: Some(Kind::Command),
            q: Some("a&b c".to_owned()),
            ..JobFilter::default()
        };
        assert_eq!(filter_address(&filter), "/?state=failed&kind=command&q=a%26b%20c");
        let query: ParamsMap = [("state", "failed"), ("kind", "command"), ("q", "a&b c")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(filter_from(&query), filter);
    }

    #[test]
    fn unknown_words_and_blanks_filter_nothing() {
        let query: ParamsMap = [("state", "lost"), ("q", " ")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(filter_from(&query), JobFilter::default());
        assert_eq!(filter_address(&JobFilter::default()), "/");
    }
}
