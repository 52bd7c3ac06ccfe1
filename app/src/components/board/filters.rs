//! Which jobs the board lists. The filter lives in the address, so that it can be shared and works without the WASM.

use std::time::Duration;

use leptos::{ev::MouseEvent, prelude::*};

use crate::{
    components::{Shape, icon, overlays::is_plain_click, state::state_name, words::repository_name},
    model::{JobFilter, JobState, Kind},
};

const STATES: [Option<JobState>; 8] = [
    None,
    Some(JobState::Running),
    Some(JobState::Queued),
    Some(JobState::Scheduled),
    Some(JobState::Parked),
    Some(JobState::Succeeded),
    Some(JobState::Failed),
    Some(JobState::Canceled),
];

/// `repositories` can be chosen among; `choose` is called with the filter that somebody wants next.
#[component]
pub fn BoardFilters(
    filter: RwSignal<JobFilter>,
    kinds: Vec<Kind>,
    repositories: Vec<String>,
    choose: impl Fn(JobFilter) + Copy + Send + 'static,
) -> impl IntoView {
    let states = STATES.map(|state| {
        let label = state.map_or("All", state_name);
        let wanted = Signal::derive(move || JobFilter { state, ..filter.get().first_page() });
        filter_link(label, filter, wanted, choose)
    });
    let kind_links = (kinds.len() > 1).then(|| {
        let links = std::iter::once(None).chain(kinds.into_iter().map(Some)).map(|kind| {
            let label = kind.map_or("Any kind", Kind::as_str);
            let wanted = Signal::derive(move || JobFilter { kind, ..filter.get().first_page() });
            filter_link(label, filter, wanted, choose)
        });
        view! { <nav class="segments" aria-label="Kind">{links.collect_view()}</nav> }
    });
    let mut search = debounce(Duration::from_millis(200), move |text: String| {
        let q = Some(text).filter(|text| !text.trim().is_empty());
        choose(JobFilter { q, ..filter.get_untracked().first_page() });
    });
    let repository_choice = repository_choice(repositories, filter, choose);
    let hidden = move |name: &'static str, value: fn(&JobFilter) -> Option<&'static str>| {
        let value = Memo::new(move |_| value(&filter.read()));
        view! { <input type="hidden" name=name value=value disabled=move || value.get().is_none() /> }
    };

    view! {
        <div class="filters">
            <nav class="segments" aria-label="State">{states.into_iter().collect_view()}</nav>
            {kind_links}
            <form class="filter-form" method="get" action="/" role="search">
                {hidden("state", |filter| filter.state.map(JobState::as_str))}
                {hidden("kind", |filter| filter.kind.map(Kind::as_str))}
                {repository_choice}
                <div class="filter-text">
                    <input
                        type="search"
                        name="q"
                        aria-label="Title or repository"
                        placeholder="Title or repository"
                        autocomplete="off"
                        value=filter.get_untracked().q
                        on:input=move |event| search(event_target_value(&event))
                    />
                    <button type="submit" title="Show these jobs">
                        {icon(Shape::Search)}
                        <span class="sr-only">"Show these jobs"</span>
                    </button>
                </div>
            </form>
        </div>
    }
}

/// The repositories that there are jobs of, and the one that the address names. Nothing where there is no choice.
fn repository_choice(
    mut repositories: Vec<String>,
    filter: RwSignal<JobFilter>,
    choose: impl Fn(JobFilter) + Send + 'static,
) -> impl IntoView {
    let chosen = filter.get_untracked().repository;
    if let Some(chosen) = &chosen
        && !repositories.contains(chosen)
    {
        repositories.push(chosen.clone());
    }
    let take = move |event| {
        let repository = Some(event_target_value(&event)).filter(|repository| !repository.is_empty());
        choose(JobFilter { repository, ..filter.get_untracked().first_page() });
    };
    (chosen.is_some() || repositories.len() > 1).then(|| {
        let options = repositories.into_iter().map(|repository| {
            let (name, selected) =
                (repository_name(&repository).to_owned(), chosen.as_ref() == Some(&repository));
            view! { <option value=repository selected=selected>{name}</option> }
        });
        view! {
            <select class="filter-repository" name="repository" aria-label="Repository" on:change=take>
                <option value="">"Any repository"</option>
                {options.collect_view()}
            </select>
        }
    })
}

/// A link to the board under another filter, which changes the board in place when it is simply clicked.
fn filter_link(
    label: &'static str,
    filter: RwSignal<JobFilter>,
    wanted: Signal<JobFilter>,
    choose: impl Fn(JobFilter) + Send + 'static,
) -> impl IntoView {
    let open = move |event: MouseEvent| {
        if is_plain_click(&event) {
            event.prevent_default();
            choose(wanted.get_untracked());
        }
    };
    let current = move || (wanted.get() == filter.get().first_page()).then_some("true");
    view! { <a href=move || wanted.get().address() aria-current=current on:click=open>{label}</a> }
}
