//! "Why is this waiting?": what stands between a job and its start, as a colleague would say it. The server renders it again for
//! as long as the job waits.

use leptos::prelude::*;

use crate::{
    components::{
        time::{due, rough_text, when_text},
        words::{agent_title, sentence},
    },
    model::{Timestamp, WaitReason, Waiting},
};

pub fn waiting_part(waiting: Option<&Waiting>, now: Timestamp) -> impl IntoView + use<> {
    let reasons = waiting.map(|waiting| {
        let reasons = waiting.reasons.iter().map(|reason| reason_view(reason, now));
        view! {
            <h2>"Why is this waiting?"</h2>
            <ul>{reasons.collect_view()}</ul>
            <p>{estimate_text(waiting)}</p>
        }
    });
    view! { <div class="waiting" id="waiting" data-part="">{reasons}</div> }
}

/// One reason to wait, and what would end it; times are absolute where it is not known when somebody reads it.
pub fn reason_text(reason: &WaitReason, now: Option<Timestamp>) -> String {
    match reason_parts(reason) {
        (text, Some(at)) => format!("{text} {}.", when_text(at, now)),
        (text, None) => text,
    }
}

/// A reason that a page shows.
fn reason_view(reason: &WaitReason, now: Timestamp) -> impl IntoView + use<> {
    let (text, at) = reason_parts(reason);
    view! { <li>{text}{at.map(|at| (" ", due(at, now), "."))}</li> }
}

/// One reason to wait, and the time that its sentence ends with where it has one.
fn reason_parts(reason: &WaitReason) -> (String, Option<Timestamp>) {
    let whole = |text: &str| (text.to_owned(), None);
    match reason {
        WaitReason::RunAt { at } => ("Somebody asked for a later start: it is queued".to_owned(), Some(*at)),
        WaitReason::Retry { at, attempt } => {
            (format!("The attempt before failed. Attempt {attempt} is queued"), Some(*at))
        }
        WaitReason::Quota { agent, until } => {
            (format!("The quota of {} is used up. It goes on by itself", agent_title(agent)), Some(*until))
        }
        WaitReason::Conversation => whole("Another job of this conversation runs first."),
        WaitReason::Paused { why, until: Some(until) } => {
            (format!("The lane is paused: {} It goes on", sentence(why)), Some(*until))
        }
        WaitReason::Paused { why, until: None } => {
            (format!("The lane is paused: {} It goes on when somebody resumes it.", sentence(why)), None)
        }
        WaitReason::NoRunner => {
            whole("No runner that takes such jobs is connected. Start one with millrace run.")
        }
        WaitReason::Draining => whole(
            "The runners take nothing new at the moment. An owner can let one take jobs again on the page Lanes.",
        ),
        WaitReason::Rate { per_minute, next_at } => (
            format!("The lane has started the {per_minute} jobs that it may in a minute. The next may start"),
            Some(*next_at),
        ),
        WaitReason::Concurrency { limit: 1 } => {
            whole("Another job of the lane runs, and only one may at once.")
        }
        WaitReason::Concurrency { limit } => {
            (format!("{limit} jobs of the lane run, as many as may at once."), None)
        }
        WaitReason::NoSlot => whole("All runners have their hands full."),
        WaitReason::EarlierJobs { count: 1 } => whole("One job goes before it."),
        WaitReason::EarlierJobs { count } => (format!("{count} jobs go before it."), None),
    }
}

/// When a waiting job starts, as far as anybody can say.
fn estimate_text(waiting: &Waiting) -> Option<String> {
    let estimate = waiting.estimate_ms.and_then(|millis| i64::try_from(millis).ok());
    match estimate {
        Some(..5_000) => Some("It should start any moment.".to_owned()),
        Some(millis) => Some(format!("It should start in about {}.", rough_text(millis))),
        None if waiting.reasons.is_empty() => Some("Nothing: it is about to start.".to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_to_wait_says_what_would_end_it() {
        let now = Timestamp(0);
        for (reason, text) in [
            (WaitReason::EarlierJobs { count: 1 }, "One job goes before it."),
            (
                WaitReason::Draining,
                "The runners take nothing new at the moment. An owner can let one take jobs again on the page Lanes.",
            ),
            (WaitReason::Concurrency { limit: 5 }, "5 jobs of the lane run, as many as may at once."),
            (
                WaitReason::Paused { why: "quota used up".to_owned(), until: Some(Timestamp(1_200_000)) },
                "The lane is paused: quota used up. It goes on in 20 min.",
            ),
            (
                WaitReason::Rate { per_minute: 50, next_at: Timestamp(7_000) },
                "The lane has started the 50 jobs that it may in a minute. The next may start in 7 s.",
            ),
        ] {
            assert_eq!(reason_text(&reason, Some(now)), text);
        }
    }
}
