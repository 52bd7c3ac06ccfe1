//! What is shown beside the facts: the transcript, the log, the attempts, or what was changed. The last is a page of the
//! server's: it does not change while somebody reads it, and the browser has no code for it.

use leptos::{either::EitherOf4, ev::MouseEvent, prelude::*};
use serde::{Deserialize, Serialize};

use super::{FirstSteps, attempts::attempt_list, shown::Shown};
use crate::{
    components::{
        log_view::{LogView, linked},
        overlays::is_plain_click,
        search::Search,
        transcript::TranscriptView,
    },
    live::{Clock, LiveState, replace_address},
    model::{JobId, Kind},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    /// What an agent did, step by step.
    Transcript,
    /// What was printed.
    Log,
    Changes,
    Attempts,
}

impl Tab {
    /// The view that an address asks for, or what is best for this kind of job.
    pub fn asked(view: Option<&str>, tab: Option<&str>, kind: Kind) -> Self {
        match (view, tab) {
            (_, Some("attempts")) => Self::Attempts,
            (_, Some("changes")) if matches!(kind, Kind::Agent) => Self::Changes,
            (Some("transcript"), _) => Self::Transcript,
            (Some("raw"), _) => Self::Log,
            _ => Self::usual(kind),
        }
    }

    const fn usual(kind: Kind) -> Self {
        match kind {
            Kind::Agent => Self::Transcript,
            Kind::Command => Self::Log,
        }
    }

    const fn of_kind(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Agent => &[Self::Transcript, Self::Log, Self::Changes, Self::Attempts],
            Kind::Command => &[Self::Log, Self::Attempts],
        }
    }

    const fn label(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Transcript, _) => "Transcript",
            (Self::Log, Kind::Agent) => "Raw",
            (Self::Log, Kind::Command) => "Log",
            (Self::Changes, _) => "Changes",
            (Self::Attempts, _) => "Attempts",
        }
    }

    /// What the address says of it.
    const fn query(self) -> &'static str {
        match self {
            Self::Transcript => "view=transcript",
            Self::Log => "view=raw",
            Self::Changes => "tab=changes",
            Self::Attempts => "tab=attempts",
        }
    }
}

/// `pinned` is the attempt that the address names; `steps` are those that are in the document.
pub fn tabs(
    shown: Shown,
    state: LiveState,
    clock: Clock,
    pinned: Option<u32>,
    tab: RwSignal<Tab>,
    steps: FirstSteps,
) -> impl IntoView {
    let (id, kind) = shown.job.with_untracked(|job| (job.id, job.kind));
    let search = Search::new();
    let live =
        move |attempt: u32| Signal::derive(move || !shown.ended.get() && shown.job.read().attempt == attempt);
    let link = move |of: Tab| {
        let address = tab_address(id, pinned, of, kind);
        let open = move |event: MouseEvent| {
            let is_elsewhere = of == Tab::Changes || tab.get_untracked() == Tab::Changes;
            if !is_elsewhere && is_plain_click(&event) {
                event.prevent_default();
                tab.set(of);
                replace_address(&tab_address(id, pinned, of, kind));
            }
        };
        let count = move || match of {
            Tab::Log | Tab::Transcript => None,
            Tab::Changes => shown.changed_files(pinned),
            Tab::Attempts => u32::try_from(shown.attempts.read().len()).ok(),
        };
        view! {
            <a href=address aria-current=move || (tab.get() == of).then_some("page") on:click=open>
                {of.label(kind)}
                <span class="count" hidden=move || count().is_none()>{count}</span>
            </a>
        }
    };
    Effect::new(move |_| {
        show_linked(tab);
        // For as long as the page is there.
        window_event_listener(leptos::ev::hashchange, move |_| show_linked(tab));
    });
    // Only the first view finds steps in the document.
    let steps = StoredValue::new(Some(steps));

    view! {
        <nav class="tabs" aria-label="Views of the job">
            {Tab::of_kind(kind).iter().map(|tab| link(*tab)).collect_view()}
            {pinned.map(|attempt| view! {
                <span class="tabs-note">
                    {format!("Attempt {attempt}. ")}
                    <a class="link" href=tab_address(id, None, Tab::usual(kind), kind)>"Show the latest"</a>
                </span>
            })}
        </nav>
        {move || match tab.get() {
            Tab::Attempts => EitherOf4::A(attempt_list(shown, clock)),
            Tab::Changes => EitherOf4::D(()),
            Tab::Log => {
                let (attempt, log) = shown.log.get();
                EitherOf4::B(view! { <LogView log id attempt live=live(attempt) state search /> })
            }
            Tab::Transcript => {
                let (attempt, log) = shown.log.get();
                let first = steps.try_update_value(Option::take).flatten().unwrap_or_default();
                EitherOf4::C(view! { <TranscriptView log id attempt live=live(attempt) state clock search first /> })
            }
        }}
    }
}

/// An address may name a line or a step, which only one of the views has.
fn show_linked(tab: RwSignal<Tab>) {
    let hash = location().hash().unwrap_or_default();
    let wanted = match (linked(&hash, 'L'), linked(&hash, 'S')) {
        (Some(_), _) => Tab::Log,
        (_, Some(_)) => Tab::Transcript,
        _ => return,
    };
    if tab.get_untracked() != wanted {
        tab.set(wanted);
    }
}

fn tab_address(id: JobId, pinned: Option<u32>, tab: Tab, kind: Kind) -> String {
    let attempt = pinned.map(|attempt| format!("attempt={attempt}"));
    let tab = (tab != Tab::usual(kind)).then(|| tab.query().to_owned());
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
        let address = |pinned, tab, kind| tab_address(id, pinned, tab, kind);
        assert_eq!(address(None, Tab::Log, Kind::Command), format!("/jobs/{id}"));
        assert_eq!(address(None, Tab::Log, Kind::Agent), format!("/jobs/{id}?view=raw"));
        assert_eq!(address(None, Tab::Transcript, Kind::Agent), format!("/jobs/{id}"));
        assert_eq!(address(None, Tab::Changes, Kind::Agent), format!("/jobs/{id}?tab=changes"));
        assert_eq!(
            address(Some(2), Tab::Attempts, Kind::Command),
            format!("/jobs/{id}?attempt=2&tab=attempts")
        );
    }

    #[test]
    fn an_agents_job_opens_with_its_transcript() {
        assert_eq!(Tab::asked(None, None, Kind::Agent), Tab::Transcript);
        assert_eq!(Tab::asked(Some("raw"), None, Kind::Agent), Tab::Log);
        assert_eq!(Tab::asked(Some("x"), None, Kind::Command), Tab::Log);
        assert_eq!(Tab::asked(Some("raw"), Some("attempts"), Kind::Agent), Tab::Attempts);
    }
}
