//! One job: its log on the left, the facts on the right, live.

mod actions;
mod agent_facts;
mod attempts;
mod facts;
mod shown;
mod tabs;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::tabs::Tab;
use self::{
    facts::facts,
    shown::{Shown, stream},
    tabs::tabs,
};
use super::Given;
use crate::{
    live::{Clock, LiveState},
    model::{Attempt, AttemptState, Job, OutputPage, Window},
};

/// A job as its page gets it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    pub job: Job,
    /// What was asked for: the script or the prompt, by the job's kind.
    pub asked: Option<Request>,
    /// The address of the issue, pull request or comment that asked for it.
    pub asked_in: Option<String>,
    pub attempts: Vec<Attempt>,
    pub usual_ms: Option<u64>,
    /// The attempt whose output this is; 0 before the first.
    pub attempt: u32,
    pub output: OutputPage,
    /// The attempt that the address names.
    pub pinned: Option<u32>,
    pub tab: Tab,
    /// The last steps of an agent, which the browser finds in the document.
    #[serde(skip)]
    pub steps: FirstSteps,
}

/// What was asked for, as far as it is on the page: it can be megabytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub text: String,
    pub is_cut: bool,
}

impl Request {
    /// Bytes that are on the page. An address that is to fill a form with them takes three times as many.
    const MOST: usize = 16 * 1024;

    pub fn new(mut text: String) -> Self {
        let is_cut = text.len() > Self::MOST;
        if is_cut {
            text.truncate(text.floor_char_boundary(Self::MOST));
        }
        Self { text, is_cut }
    }
}

/// Steps and standing of an attempt as HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstSteps {
    pub steps: String,
    pub standing: String,
}

/// Which lines of an attempt are worth seeing first.
pub fn first_window(attempts: &[Attempt], attempt: u32) -> Window {
    match attempts.iter().find(|other| other.attempt == attempt).map(|attempt| attempt.state) {
        Some(AttemptState::Running) | None => Window::Tail,
        Some(AttemptState::Failed | AttemptState::Lost) => Window::FirstError,
        Some(AttemptState::Succeeded | AttemptState::Canceled) => Window::After(0),
    }
}

/// The page of a job, but for its changes. `children` say why it waits.
#[island]
pub fn JobView(loaded: Given<Loaded>, children: Children) -> impl IntoView {
    let Given(mut loaded) = loaded;
    let (asked, asked_in) = (loaded.asked.take(), loaded.asked_in.take());
    let (pinned, tab) = (loaded.pinned, RwSignal::new(loaded.tab));
    let steps = std::mem::take(&mut loaded.steps);
    let shown = Shown::new(loaded);
    let state = LiveState::new();
    let clock = Clock::start();
    stream(shown, state, pinned);

    view! {
        {facts(shown, clock, asked, asked_in, pinned, children)}
        <div class="job-output">{tabs(shown, state, clock, pinned, tab, steps)}</div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn of_a_long_request_the_page_has_the_beginning() {
        let long = Request::new("ü".repeat(Request::MOST));
        assert!(long.is_cut && long.text.len() == Request::MOST);
        assert_eq!(Request::new("short".to_owned()), Request { text: "short".to_owned(), is_cut: false });
    }

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
                agent: None,
            };
            assert_eq!(first_window(&[attempt], 1), window);
        }
        assert_eq!(first_window(&[], 1), Window::Tail);
    }
}
