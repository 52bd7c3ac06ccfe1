//! One job: its log on the left, the facts on the right.

mod actions;
mod attempts;
mod facts;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

use self::{attempts::AttemptList, facts::Facts};
use crate::{
    api,
    components::{
        ErrorPage,
        log_view::{Log, LogView, Start},
    },
    live::{JobEvent, LiveState, follow_job},
    model::{ApiError, Attempt, AttemptState, Job, JobDetail, JobId, JobState, OutputPage, Window},
    page_status,
};

/// A job that ended without its output being complete is asked for again so often.
const POLL: std::time::Duration = std::time::Duration::from_secs(2);

/// What the address asks for: a job, and one of its attempts unless the latest is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    id: Option<JobId>,
    attempt: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Loaded {
    detail: JobDetail,
    /// The attempt whose output this is; 0 before the first.
    attempt: u32,
    output: OutputPage,
}

#[component]
pub fn JobPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let asked = Memo::new(move |_| asked_for(&params.read(), &query.read()));
    let job = Resource::new(move || asked.get(), load);

    view! {
        <Transition>
            {move || Suspend::new(async move {
                match job.await {
                    Ok(loaded) => view! { <JobView loaded pinned=asked.get_untracked().attempt /> }.into_any(),
                    Err(error) => view! { <Unavailable error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn asked_for(params: &ParamsMap, query: &ParamsMap) -> Asked {
    Asked {
        id: params.get_str("id").and_then(|id| id.parse().ok()),
        attempt: query.get_str("attempt").and_then(|attempt| attempt.parse().ok()),
    }
}

async fn load(asked: Asked) -> Result<Loaded, ApiError> {
    let id = asked.id.ok_or_else(|| ApiError::NotFound("This is not the id of a job.".to_owned()))?;
    let detail = api::job(id).await?;
    let attempt = match asked.attempt {
        Some(number) if detail.attempts.iter().any(|attempt| attempt.attempt == number) => number,
        Some(number) => return Err(ApiError::NotFound(format!("This job has no attempt {number}."))),
        None => detail.job.attempt,
    };
    let output = if attempt > 0 {
        api::output(id, attempt, window(&detail, attempt)).await?
    } else {
        OutputPage::default()
    };
    Ok(Loaded { detail, attempt, output })
}

/// Which lines are worth seeing first.
fn window(detail: &JobDetail, attempt: u32) -> Window {
    match attempt_state(detail, attempt) {
        Some(AttemptState::Running) | None => Window::Tail,
        Some(AttemptState::Failed | AttemptState::Lost) => Window::FirstError,
        Some(AttemptState::Succeeded | AttemptState::Canceled) => Window::After(0),
    }
}

fn attempt_state(detail: &JobDetail, attempt: u32) -> Option<AttemptState> {
    detail.attempts.iter().find(|other| other.attempt == attempt).map(|attempt| attempt.state)
}

#[component]
fn Unavailable(error: ApiError) -> impl IntoView {
    page_status::set_status(&error);
    let title = match error {
        ApiError::NotFound(_) => "There is no such job",
        _ => "This job cannot be shown",
    };
    view! {
        <Title text=title />
        <ErrorPage title message=error.to_string() />
    }
}

/// A job as its page shows and changes it.
#[derive(Clone, Copy)]
struct Shown {
    job: RwSignal<Job>,
    attempts: RwSignal<Vec<Attempt>>,
    /// Nothing more comes by the stream.
    ended: RwSignal<bool>,
    problem: RwSignal<Option<String>>,
    /// The log on the page and its attempt.
    log: RwSignal<(u32, Log)>,
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
                    if let Some((_, log)) =
                        self.log.try_get_untracked().filter(|(shown, _)| *shown == attempt)
                    {
                        log.append(lines);
                    }
                }
                JobEvent::Done
                    if self.job.try_with_untracked(|job| job.state.is_finished()) == Some(true) =>
                {
                    self.ended.set(true);
                }
                // The attempt is over, the job is not: look when the next begins.
                JobEvent::Done => set_timeout(move || self.refresh(), POLL),
                JobEvent::Problem(message) => {
                    let _ = self.problem.try_set(Some(message));
                }
            }
        }
    }

    fn update(self, job: Job) {
        let Some((revision, attempt, state)) =
            self.job.try_with_untracked(|shown| (shown.revision, shown.attempt, shown.state))
        else {
            return;
        };
        if job.revision <= revision {
            return;
        }
        let changed = (job.attempt, job.state) != (attempt, state);
        self.job.set(job);
        if changed {
            self.refresh();
        }
    }

    /// Asks for the job again: for its attempts, and for a state that the stream did not bring.
    fn refresh(self) {
        let Some(id) = self.job.try_with_untracked(|job| job.id) else { return };
        leptos::task::spawn_local(async move {
            let Ok(detail) = api::job(id).await else { return };
            let Some(shown) = self.job.try_with_untracked(|job| job.revision) else { return };
            self.attempts.set(detail.attempts);
            let waits = Self::waits(detail.job.state);
            if detail.job.revision > shown {
                self.job.set(detail.job);
            }
            if waits && self.ended.get_untracked() {
                self.ended.set(false);
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

#[component]
fn JobView(loaded: Loaded, pinned: Option<u32>) -> impl IntoView {
    let Loaded { detail, attempt, output } = loaded;
    let start = match window(&detail, attempt) {
        Window::Tail => Start::End,
        Window::After(_) | Window::FirstError => Start::Page,
    };
    let JobDetail { job, script, attempts, .. } = detail;
    let shown = Shown {
        ended: RwSignal::new(job.state.is_finished()),
        job: RwSignal::new(job),
        attempts: RwSignal::new(attempts),
        problem: RwSignal::new(None),
        log: RwSignal::new((attempt, Log::new(&output, start))),
    };
    let owner = Owner::current();
    let live_state = LiveState::of_page();
    let streamed = Memo::new(move |_| shown.streamed());
    Effect::new(move |_| {
        let attempt = streamed.get()?;
        let latest = shown.log.get_untracked().0;
        if attempt > latest && pinned.is_none() {
            // The next attempt begins: an empty log, which lives as long as the page.
            let log = || Log::new(&OutputPage::default(), Start::End);
            shown.log.set((attempt, owner.as_ref().map_or_else(log, |owner| owner.with(log))));
        }
        let cursor = Signal::derive(move || {
            let (of, log) = shown.log.get_untracked();
            if of == attempt { log.total() } else { 0 }
        });
        Some(follow_job(shown.id(), attempt, cursor, live_state, move |events| {
            shown.receive(attempt, events)
        }))
    });
    let title = move || shown.job.read().title.clone();

    view! {
        <Title text=title />
        <div class="job">
            <Facts shown script />
            <div class="job-output">
                <Tabs shown pinned />
            </div>
        </div>
    }
}

#[component]
fn Tabs(shown: Shown, pinned: Option<u32>) -> impl IntoView {
    let query = use_query_map();
    let on_attempts = Memo::new(move |_| query.read().get_str("tab") == Some("attempts"));
    let id = shown.id();
    let log_address =
        pinned.map_or_else(|| format!("/jobs/{id}"), |attempt| format!("/jobs/{id}?attempt={attempt}"));
    let attempts_address = match pinned {
        Some(attempt) => format!("/jobs/{id}?attempt={attempt}&tab=attempts"),
        None => format!("/jobs/{id}?tab=attempts"),
    };
    let count = Memo::new(move |_| shown.attempts.read().len());
    let live =
        move |attempt: u32| Signal::derive(move || !shown.ended.get() && shown.job.read().attempt == attempt);

    view! {
        <nav class="tabs" aria-label="Views of the job">
            <a href=log_address data-noscroll="" aria-current=move || (!on_attempts.get()).then_some("page")>"Log"</a>
            <a href=attempts_address data-noscroll="" aria-current=move || on_attempts.get().then_some("page")>
                "Attempts " <span class="count">{count}</span>
            </a>
            {pinned.map(|attempt| view! {
                <span class="tabs-note">
                    {format!("Attempt {attempt}. ")}
                    <a class="link" href=format!("/jobs/{id}")>"Show the latest"</a>
                </span>
            })}
        </nav>
        {move || {
            if on_attempts.get() {
                view! { <AttemptList shown /> }.into_any()
            } else {
                let (attempt, log) = shown.log.get();
                view! { <LogView log id attempt live=live(attempt) /> }.into_any()
            }
        }}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, sample};

    fn detail(state: AttemptState) -> JobDetail {
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
        JobDetail { job: sample::job(1), script: None, prompt: None, attempts: vec![attempt] }
    }

    #[test]
    fn a_failed_attempt_opens_at_its_first_error_and_a_running_one_at_its_end() {
        assert_eq!(window(&detail(AttemptState::Failed), 1), Window::FirstError);
        assert_eq!(window(&detail(AttemptState::Running), 1), Window::Tail);
        assert_eq!(window(&detail(AttemptState::Succeeded), 1), Window::After(0));
    }

    #[test]
    fn an_address_with_a_wrong_id_or_attempt_asks_for_none() {
        let map = |pairs: &[(&str, &str)]| -> ParamsMap {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let asked = asked_for(&map(&[("id", "x")]), &map(&[("attempt", "-1")]));
        assert_eq!(asked, Asked { id: None, attempt: None });
    }
}
