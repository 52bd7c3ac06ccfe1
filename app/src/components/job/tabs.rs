//! What is shown beside the facts: the log, the attempts, or what was changed. The last is a page of the server's: it does not
//! change while somebody reads it, and the browser has no code for it.

use leptos::{either::EitherOf3, ev::MouseEvent, prelude::*};
use serde::{Deserialize, Serialize};

use super::{attempts::attempt_list, shown::Shown};
use crate::{
    components::log_view::LogView,
    live::{Clock, LiveState, replace_address},
    model::{JobId, Kind},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    Log,
    Changes,
    Attempts,
}

impl Tab {
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "Log",
            Self::Changes => "Changes",
            Self::Attempts => "Attempts",
        }
    }
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
    let tabs = match shown.job.read_untracked().kind {
        Kind::Agent => vec![Tab::Log, Tab::Changes, Tab::Attempts],
        Kind::Command => vec![Tab::Log, Tab::Attempts],
    };
    let live =
        move |attempt: u32| Signal::derive(move || !shown.ended.get() && shown.job.read().attempt == attempt);
    let link = move |of: Tab| {
        let address = tab_address(id, pinned, of);
        let open = move |event: MouseEvent| {
            let is_elsewhere = of == Tab::Changes || tab.get_untracked() == Tab::Changes;
            if !(is_elsewhere || event.meta_key() || event.ctrl_key() || event.shift_key()) {
                event.prevent_default();
                tab.set(of);
                replace_address(&tab_address(id, pinned, of));
            }
        };
        let count = move || match of {
            Tab::Log => None,
            Tab::Changes => shown.changed_files(pinned),
            Tab::Attempts => u32::try_from(shown.attempts.read().len()).ok(),
        };
        view! {
            <a href=address aria-current=move || (tab.get() == of).then_some("page") on:click=open>
                {of.name()}
                <span class="count" hidden=move || count().is_none()>{count}</span>
            </a>
        }
    };

    view! {
        <nav class="tabs" aria-label="Views of the job">
            {tabs.into_iter().map(link).collect_view()}
            {pinned.map(|attempt| view! {
                <span class="tabs-note">
                    {format!("Attempt {attempt}. ")}
                    <a class="link" href=tab_address(id, None, Tab::Log)>"Show the latest"</a>
                </span>
            })}
        </nav>
        {move || match tab.get() {
            Tab::Attempts => EitherOf3::A(attempt_list(shown, clock)),
            Tab::Changes => EitherOf3::B(()),
            Tab::Log => {
                let (attempt, log) = shown.log.get();
                EitherOf3::C(view! { <LogView log id attempt live=live(attempt) state /> })
            }
        }}
    }
}

fn tab_address(id: JobId, pinned: Option<u32>, tab: Tab) -> String {
    let attempt = pinned.map(|attempt| format!("attempt={attempt}"));
    let tab = (tab != Tab::Log).then(|| format!("tab={}", tab.name().to_lowercase()));
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
        assert_eq!(tab_address(id, None, Tab::Changes), format!("/jobs/{id}?tab=changes"));
    }
}
