//! What is shown beside the facts: the log, or the attempts.

use leptos::{either::Either, ev::MouseEvent, prelude::*};
use serde::{Deserialize, Serialize};

use super::{attempts::attempt_list, shown::Shown};
use crate::{
    components::log_view::LogView,
    live::{Clock, LiveState, replace_address},
    model::JobId,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    Log,
    Attempts,
}

/// `pinned` is the attempt that the address names.
pub fn tabs(
    shown: Shown,
    state: LiveState,
    clock: Clock,
    pinned: Option<u32>,
    tab: RwSignal<Tab>,
) -> impl IntoView {
    let id = shown.id();
    let live =
        move |attempt: u32| Signal::derive(move || !shown.ended.get() && shown.job.read().attempt == attempt);
    let link = move |of: Tab| {
        let address = tab_address(id, pinned, of);
        let open = move |event: MouseEvent| {
            if !(event.meta_key() || event.ctrl_key() || event.shift_key()) {
                event.prevent_default();
                tab.set(of);
                replace_address(&tab_address(id, pinned, of));
            }
        };
        view! {
            <a href=address aria-current=move || (tab.get() == of).then_some("page") on:click=open>
                {if of == Tab::Log { "Log" } else { "Attempts" }}
                <span class="count" hidden=of == Tab::Log>{move || shown.attempts.read().len()}</span>
            </a>
        }
    };

    view! {
        <nav class="tabs" aria-label="Views of the job">
            {[Tab::Log, Tab::Attempts].map(link).into_iter().collect_view()}
            {pinned.map(|attempt| view! {
                <span class="tabs-note">
                    {format!("Attempt {attempt}. ")}
                    <a class="link" href=tab_address(id, None, Tab::Log)>"Show the latest"</a>
                </span>
            })}
        </nav>
        {move || match tab.get() {
            Tab::Attempts => Either::Left(attempt_list(shown, clock)),
            Tab::Log => {
                let (attempt, log) = shown.log.get();
                Either::Right(view! { <LogView log id attempt live=live(attempt) state /> })
            }
        }}
    }
}

fn tab_address(id: JobId, pinned: Option<u32>, tab: Tab) -> String {
    let attempt = pinned.map(|attempt| format!("attempt={attempt}"));
    let tab = (tab == Tab::Attempts).then(|| "tab=attempts".to_owned());
    let query: Vec<_> = attempt.into_iter().chain(tab).collect();
    if query.is_empty() { format!("/jobs/{id}") } else { format!("/jobs/{id}?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_tab_has_an_address_of_its_own() {
        let id = sample::job(1).id;
        assert_eq!(tab_address(id, None, Tab::Log), format!("/jobs/{id}"));
        assert_eq!(tab_address(id, Some(2), Tab::Attempts), format!("/jobs/{id}?attempt=2&tab=attempts"));
    }
}
