//! What the board and the page of the lanes both show of a lane.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use super::{
    Shape, icon,
    words::{agent_title, sentence},
};
use crate::{
    api::{ResumeAgent, ResumeLane},
    model::{Kind, Pause, Timestamp, UsedUp},
};

/// Up to here each cell is drawn by itself.
const CELLS_DRAWN: u32 = 24;

/// The button that lets a lane go on.
pub fn resume(lane: Kind) -> impl IntoView {
    view! {
        <form method="post" action=ResumeLane::url() data-live="">
            <input type="hidden" name="lane" value=lane.as_str() />
            <button class="button" type="submit">{icon(Shape::Play)} "Resume"</button>
        </form>
    }
}

/// How many of so many are used: as cells, or as one bar where they are too many.
pub fn cells(all: u32, used: u32) -> impl IntoView {
    if all <= CELLS_DRAWN {
        let cells = (0..all).map(|cell| view! { <i data-used=(cell < used).then_some("")></i> });
        Either::Left(cells.collect_view())
    } else {
        Either::Right(view! { <progress class="progress" max=all value=used></progress> })
    }
}

/// The button that lets an agent go on: somebody knows that there is quota again.
pub fn resume_agent(agent: &str) -> impl IntoView + use<> {
    view! {
        <form method="post" action=ResumeAgent::url() data-live="">
            <input type="hidden" name="agent" value=agent.to_owned() />
            <button class="button" type="submit">{icon(Shape::Play)} "Resume"</button>
        </form>
    }
}

/// Which agent's quota is used up, and when its jobs go on. `when` shows a time to come.
pub fn quota_view<V: IntoView, W: Fn(Timestamp) -> V>(
    used_up: &UsedUp,
    when: W,
) -> impl IntoView + use<V, W> {
    let jobs = match used_up.parked {
        0 => String::new(),
        1 => " 1 job waits for it.".to_owned(),
        parked => format!(" {parked} jobs wait for it."),
    };
    (agent_title(&used_up.agent).to_owned(), ": quota used up, resumes ", when(used_up.until), ".", jobs)
}

/// Why a lane is paused, by whom and until when. `when` shows a time to come.
pub fn pause_view<V: IntoView, W: Fn(Timestamp) -> V>(pause: &Pause, when: W) -> impl IntoView + use<V, W> {
    let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = format!("Paused{by}: {} ", sentence(&pause.reason));
    let end = match pause.until {
        Some(until) => Either::Left(("Resumes ", when(until), ".")),
        None => Either::Right("Stays so until somebody resumes it."),
    };
    (why, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{components::time::when_text, model::sample};

    fn at_the_time(at: Timestamp) -> String {
        when_text(at, None)
    }

    /// What people read of it, without the marks that Leptos leaves between texts.
    fn text(view: impl IntoView) -> String {
        view.to_html().replace("<!>", "").replace("<!---->", "")
    }

    #[test]
    fn an_agent_without_quota_says_when_it_goes_on() {
        let used_up = UsedUp {
            agent: "claude".to_owned(),
            reason: "Try again later.".to_owned(),
            until: sample::pause().until.unwrap(),
            parked: 2,
        };
        assert_eq!(
            text(quota_view(&used_up, at_the_time)),
            "Claude Code: quota used up, resumes at 14:05 UTC. 2 jobs wait for it."
        );
    }

    #[test]
    fn a_paused_lane_says_why_by_whom_and_until_when() {
        let pause = Pause { by: Some("ada".to_owned()), ..sample::pause() };
        assert_eq!(
            text(pause_view(&pause, at_the_time)),
            "Paused by ada: quota used up. Resumes at 14:05 UTC."
        );
        let forever = Pause { until: None, by: None, ..pause };
        assert_eq!(
            text(pause_view(&forever, at_the_time)),
            "Paused: quota used up. Stays so until somebody resumes it."
        );
    }
}
