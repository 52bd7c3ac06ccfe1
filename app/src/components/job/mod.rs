//! One job: its log on the left, the facts on the right, live.

mod actions;
mod attempts;
mod facts;

use std::time::Duration;

use leptos::{either::Either, ev::MouseEvent, prelude::*, task::spawn_local};
use serde::{Deserialize, Serialize};

use self::{attempts::attempt_list, facts::facts};
use super::{
    Given,
    log_view::{Log, LogView, Start},
};
use crate::{
    live::{Clock, JobEvent, LiveState, ask, follow_job, replace_address},
    model::{Attempt, AttemptState, Job, JobId, JobState, OutputPage, Window},
};

/// While a job waits for its next attempt, it is asked for this often.
const POLL: Duration = Duration::from_secs(2);

/// A job as its page gets it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    pub job: Job,
    pub script: Option<String>,
    pub attempts: Vec<Attempt>,
    /// The attempt whose output this is; 0 before the first.
    pub attempt: u32,
    pub output: OutputPage,
    /// The attempt that the address names.
    pub pinned: Option<u32>,
    pub tab: Tab,
    /// Why a form that led here was refused.
    pub refusal: Option<String>,
}

/// What is shown beside the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    Log,
    Attempts,
}

/// Which lines of an attempt are worth seeing first.
pub fn first_window(attempts: &[Attempt], attempt: u32) -> Window {
    match attempts.iter().find(|other| other.attempt == attempt).map(|attempt| attempt.state) {
        Some(AttemptState::Running) | None => Window::Tail,
        Some(AttemptState::Failed | AttemptState::Lost) => Window::FirstError,
        Some(AttemptState::Succeeded | AttemptState::Canceled) => Window::After(0),
    }
}

/// The part of a [`JobDetail`](crate::model::JobDetail) that a [`Job`] has not.
#[derive(Deserialize)]
struct AttemptsOf {
    attempts: Vec<Attempt>,
}

/// A job as its page shows and changes it.
#[derive(Clone, Copy)]
struct Shown {
    job: RwSignal<Job>,
    attempts: RwSignal<Vec<Attempt>>,
    /// Nothing more comes by the stream.
    ended: RwSignal<bool>,
    /// What the person should know, in words.
    problem: RwSignal<Option<String>>,
    /// The log on the page and its attempt.
    log: RwSignal<(u32, Log)>,
    /// A later [`refresh`](Self::refresh) is on its way.
    polling: StoredValue<bool>,
}

impl Shown {
    fn id(self) -> JobId {
        self.job.read_untracked().id
    }

    fn receive(self, attempt: u32, events: Vec<JobEvent>) {
        for event in events {
            match event {
                JobEvent::Status(job) => self.update(*job),
                JobEvent::Output(lines) => {
                    let (shown, log) = self.log.get_untracked();
                    if shown == attempt {
                        log.append(lines);
                    }
                }
                JobEvent::Done if self.job.read_untracked().state.is_finished() => self.ended.set(true),
                // The attempt is over, the job is not.
                JobEvent::Done => self.refresh(),
                JobEvent::Problem(message) => self.problem.set(Some(message)),
            }
        }
    }

    fn update(self, job: Job) {
        let (revision, attempt, state) =
            self.job.with_untracked(|shown| (shown.revision, shown.attempt, shown.state));
        if job.revision > revision {
            let changed = (job.attempt, job.state) != (attempt, state);
            self.job.set(job);
            if changed {
                self.refresh();
            }
        }
    }

    /// Asks for the job again: for its attempts, and for what no stream tells, which is that a job was retried, or that its
    /// next attempt begins.
    fn refresh(self) {
        spawn_local(async move {
            let Ok(detail) = ask(&format!("/api/jobs/{}", self.id())).await else { return };
            let (Ok(job), Ok(AttemptsOf { attempts })) =
                (serde_json::from_str::<Job>(&detail), serde_json::from_str(&detail))
            else {
                return;
            };
            self.attempts.set(attempts);
            let (finished, waits) = (job.state.is_finished(), Self::waits(job.state));
            if job.revision > self.job.read_untracked().revision {
                self.job.set(job);
            }
            if !finished {
                // It was retried; its next attempt may have begun already.
                self.ended.set(false);
            }
            if waits && self.job.read_untracked().attempt > 0 && !self.polling.get_value() {
                self.polling.set_value(true);
                set_timeout(
                    move || {
                        self.polling.set_value(false);
                        self.refresh();
                    },
                    POLL,
                );
            }
        });
    }

    const fn waits(state: JobState) -> bool {
        matches!(state, JobState::Scheduled | JobState::Queued | JobState::Parked)
    }

    /// The attempt whose stream to read: none while the job waits for the next one.
    fn streamed(self) -> Option<u32> {
        let job = self.job.read();
        (!self.ended.get()).then_some(if Self::waits(job.state) { 0 } else { job.attempt })
    }
}

/// The page of a job.
#[island]
pub fn JobView(loaded: Given<Loaded>) -> impl IntoView {
    let Loaded { job, script, attempts, attempt, output, pinned, tab, refusal } = loaded.0;
    let start = match first_window(&attempts, attempt) {
        Window::Tail => Start::End,
        Window::FirstError if output.error.is_none() => Start::End,
        Window::After(_) | Window::FirstError => Start::Page,
    };
    let shown = Shown {
        ended: RwSignal::new(job.state.is_finished()),
        job: RwSignal::new(job),
        attempts: RwSignal::new(attempts),
        problem: RwSignal::new(refusal),
        log: RwSignal::new((attempt, Log::new(&output, start))),
        polling: StoredValue::new(false),
    };
    let state = LiveState::new();
    let clock = Clock::start();
    stream(shown, state, pinned);

    view! {
        <div class="job">
            {facts(shown, clock, script)}
            <div class="job-output">{tabs(shown, state, clock, pinned, RwSignal::new(tab))}</div>
        </div>
    }
}

/// Reads the stream of the attempt that runs, and shows its log unless another attempt was asked for.
fn stream(shown: Shown, state: LiveState, pinned: Option<u32>) {
    let owner = Owner::current();
    let streamed = Memo::new(move |_| shown.streamed());
    Effect::new(move |_| {
        let attempt = streamed.get()?;
        let latest = shown.log.get_untracked().0;
        if attempt > latest && pinned.is_none() {
            // The next attempt begins: an empty log, which lives as long as the page.
            let log = || Log::new(&OutputPage::default(), Start::End);
            shown.log.set((attempt, owner.as_ref().map_or_else(log, |owner| owner.with(log))));
        }
        let cursor = Signal::derive(move || match shown.log.get_untracked() {
            (of, log) if of == attempt || attempt == 0 => log.total(),
            _ => 0,
        });
        Some(follow_job(shown.id(), attempt, cursor, state, move |events| shown.receive(attempt, events)))
    });
}

fn tabs(
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
    use crate::model::{Timestamp, sample};

    #[test]
    fn a_failed_attempt_opens_at_its_first_error_and_a_running_one_at_its_end() {
        for (state, window) in [
            (AttemptState::Failed, Window::FirstError),
            (AttemptState::Running, Window::Tail),
            (AttemptState::Succeeded, Window::After(0)),
        ] {
            let attempt = Attempt {
                attempt: 1,
                state,
                runner: "runner".to_owned(),
                started_at: Timestamp(0),
                finished_at: None,
                exit_code: None,
                error: None,
                commit: None,
                lines: None,
            };
            assert_eq!(first_window(&[attempt], 1), window);
        }
        assert_eq!(first_window(&[], 1), Window::Tail);
    }

    #[test]
    fn a_tab_has_an_address_of_its_own() {
        let id = sample::job(1).id;
        assert_eq!(tab_address(id, None, Tab::Log), format!("/jobs/{id}"));
        assert_eq!(tab_address(id, Some(2), Tab::Attempts), format!("/jobs/{id}?attempt=2&tab=attempts"));
    }
}
