//! Which jobs the board lists. The filter lives in the address, so that it can be shared and works without the WASM.

use std::time::Duration;

use leptos::{ev::MouseEvent, prelude::*};

use crate::{
    components::{Shape, icon, state::state_name},
    model::{JobFilter, JobState, Kind},
};

const STATES: [Option<JobState>; 6] = [
    None,
    Some(JobState::Running),
    Some(JobState::Queued),
    Some(JobState::Succeeded),
    Some(JobState::Failed),
    Some(JobState::Canceled),
];

/// `choose` is called with the filter that somebody wants next.
#[component]
pub fn BoardFilters(
    filter: RwSignal<JobFilter>,
    kinds: Vec<Kind>,
    choose: impl Fn(JobFilter) + Copy + Send + 'static,
) -> impl IntoView {
    let states = STATES.map(|state| {
        let label = state.map_or("All", state_name);
        let wanted = Signal::derive(move || JobFilter { state, ..filter.get() });
        filter_link(label, filter, wanted, choose)
    });
    let kind_links = (kinds.len() > 1).then(|| {
        let links = std::iter::once(None).chain(kinds.into_iter().map(Some)).map(|kind| {
            let label = kind.map_or("Any kind", Kind::as_str);
            let wanted = Signal::derive(move || JobFilter { kind, ..filter.get() });
            filter_link(label, filter, wanted, choose)
        });
        view! { <nav class="segments" aria-label="Kind">{links.collect_view()}</nav> }
    });
    let mut search = debounce(Duration::from_millis(200), move |text: String| {
        let q = Some(text).filter(|text| !text.trim().is_empty());
        choose(JobFilter { q, ..filter.get_untracked() });
    });
    let hidden = move |name: &'static str, value: fn(&JobFilter) -> Option<&'static str>| {
        let value = Memo::new(move |_| value(&filter.read()));
        view! { <input type="hidden" name=name value=value disabled=move || value.get().is_none() /> }
    };

    view! {
        <div class="filters">
            <nav class="segments" aria-label="State">{states.into_iter().collect_view()}</nav>
            {kind_links}
            <form class="filter-text" method="get" action="/" role="search">
                {hidden("state", |filter| filter.state.map(JobState::as_str))}
                {hidden("kind", |filter| filter.kind.map(Kind::as_str))}
                {icon(Shape::Search)}
                <input
                    type="search"
                    name="q"
                    aria-label="Title or repository"
                    placeholder="Title or repository"
                    autocomplete="off"
                    value=filter.get_untracked().q
                    on:input=move |event| search(event_target_value(&event))
                />
            </form>
        </div>
    }
}

/// A link to the board under another filter, which changes the board in place when it is simply clicked.
fn filter_link(
    label: &'static str,
    filter: RwSignal<JobFilter>,
    wanted: Signal<JobFilter>,
    choose: impl Fn(JobFilter) + Send + 'static,
) -> impl IntoView {
    let open = move |event: MouseEvent| {
        if !(event.meta_key() || event.ctrl_key() || event.shift_key()) {
            event.prevent_default();
            choose(wanted.get_untracked());
        }
    };
    let current = move || (wanted.get() == filter.get()).then_some("true");
    view! { <a href=move || wanted.get().address() aria-current=current on:click=open>{label}</a> }
}
