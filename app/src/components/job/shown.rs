//! A job on its page, kept up to date: its stream tells of one attempt, and what lies between attempts is asked for.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use serde::Deserialize;

use super::{Loaded, first_window};
use crate::{
    components::log_view::{Log, Start},
    live::{JobEvent, LiveState, POSTED, ask, follow_job, renew_parts, show_message, show_problem},
    model::{ApiError, Attempt, Job, JobId, JobState, OutputPage, Window},
};

/// While a job waits, it is asked for this often: for why, and whether it begins.
const POLL: Duration = Duration::from_secs(2);

/// How often it is looked for a pull request: for some twenty seconds.
const LOOKS: u32 = 10;

/// The part of a [`JobDetail`](crate::model::JobDetail) that a [`Job`] has not.
#[derive(Deserialize)]
struct AttemptsOf {
    attempts: Vec<Attempt>,
}

/// A job as its page shows and changes it.
#[derive(Clone, Copy)]
pub struct Shown {
    pub job: RwSignal<Job>,
    pub attempts: RwSignal<Vec<Attempt>>,
    /// How long such jobs took.
    pub usual_ms: StoredValue<Option<u64>>,
    /// Nothing more comes by the stream.
    pub ended: RwSignal<bool>,
    /// The log on the page and its attempt.
    pub log: RwSignal<(u32, Log)>,
    /// A later [`refresh`](Self::refresh) is on its way.
    polling: StoredValue<bool>,
    /// How often more to look for a pull request.
    looks_left: StoredValue<u32>,
}

impl Shown {
    pub fn new(loaded: Loaded) -> Self {
        let Loaded { job, attempts, attempt, output, usual_ms, .. } = loaded;
        let start = match first_window(&attempts, attempt) {
            Window::Tail => Start::End,
            Window::FirstError if output.error.is_none() => Start::End,
            Window::After(_) | Window::FirstError => Start::Page,
        };
        Self {
            ended: RwSignal::new(job.state.is_finished()),
            job: RwSignal::new(job),
            attempts: RwSignal::new(attempts),
            usual_ms: StoredValue::new(usual_ms),
            log: RwSignal::new((attempt, Log::new(&output, start))),
            polling: StoredValue::new(false),
            looks_left: StoredValue::new(LOOKS),
        }
    }

    pub fn id(self) -> JobId {
        self.job.read_untracked().id
    }

    /// The attempt on the page: the one that the address names, or the latest.
    pub fn attempt(self, pinned: Option<u32>) -> Option<Attempt> {
        let number = pinned.unwrap_or_else(|| self.job.read().attempt);
        self.attempts.read().iter().find(|attempt| attempt.attempt == number).cloned()
    }

    /// How many files it changed.
    pub fn changed_files(self, pinned: Option<u32>) -> Option<u32> {
        Some(self.attempt(pinned)?.agent?.changes?.files)
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
                JobEvent::Done if self.is_over(attempt) => self.ended.set(true),
                // The attempt is over, the job is not, or it was retried meanwhile.
                JobEvent::Done => self.refresh(),
                JobEvent::Problem(message) => show_message(&message),
            }
        }
    }

    /// Nothing comes after the end of this attempt.
    fn is_over(self, attempt: u32) -> bool {
        self.job.with_untracked(|job| job.state.is_finished() && job.attempt == attempt)
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
    pub fn refresh(self) {
        spawn_local(async move {
            let detail = match ask(&format!("/api/jobs/{}", self.id())).await {
                Ok(detail) => detail,
                // Asking again is no use.
                Err(error @ (ApiError::SignIn | ApiError::NotFound(_))) => return show_problem(&error),
                Err(_) => return self.refresh_later(),
            };
            let (Ok(job), Ok(AttemptsOf { attempts })) =
                (serde_json::from_str::<Job>(&detail), serde_json::from_str(&detail))
            else {
                return;
            };
            self.attempts.set(attempts);
            let waits = Self::waits(job.state);
            // It was retried; its next attempt may have begun already, or even ended.
            let goes_on = !job.state.is_finished() || job.attempt > self.job.read_untracked().attempt;
            if job.revision > self.job.read_untracked().revision {
                self.job.set(job);
            }
            if goes_on {
                self.ended.set(false);
            }
            if waits || self.expects_pull_request() {
                self.refresh_later();
            } else {
                renew_parts().await;
            }
        });
    }

    fn refresh_later(self) {
        if !self.polling.get_value() {
            self.polling.set_value(true);
            let refresh = move || {
                self.polling.set_value(false);
                spawn_local(renew_parts());
                self.refresh();
            };
            set_timeout(refresh, POLL);
        }
    }

    /// One is opened after the job has ended, and its stream with it; the page may have come in between. Not for ever: the
    /// repository may be on no GitHub that Millrace is connected to.
    fn expects_pull_request(self) -> bool {
        let expected = self.job.with_untracked(|job| {
            let is_published = job.state == JobState::Succeeded && job.branch.is_some();
            is_published && job.pull_request.is_none() && job.repository.starts_with("http")
        });
        let left = self.looks_left.get_value();
        self.looks_left.set_value(left.saturating_sub(u32::from(expected)));
        expected && left > 0
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

/// Reads the stream of the attempt that runs, and shows its log unless another attempt was asked for.
pub fn stream(shown: Shown, state: LiveState, pinned: Option<u32>) {
    let owner = Owner::current();
    Effect::new(move |_| {
        // For as long as the page is there.
        window_event_listener_untyped(POSTED, move |_| shown.refresh());
        let waits = Shown::waits(shown.job.read_untracked().state);
        if waits || shown.expects_pull_request() {
            shown.refresh_later();
        }
    });
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
