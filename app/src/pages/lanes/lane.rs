//! One lane: what runs, what waits, how fast it may start jobs, and its switch.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::PauseLane,
    components::{
        Shape, Tone, icon,
        lane::{cells, pause_view, quota_view, resume, resume_agent},
        notice,
        time::due,
        words::sentence,
    },
    model::{Kind, Lane, Timestamp},
    pages::field::{Label, field},
};

/// How long a pause can be asked for, in minutes; 0 for one without an end.
const PAUSES: [(u32, &str); 6] = [
    (0, "Until somebody resumes it"),
    (15, "15 minutes"),
    (60, "1 hour"),
    (240, "4 hours"),
    (1440, "1 day"),
    (10_080, "1 week"),
];

pub fn lane_card(lane: Lane, now: Timestamp) -> impl IntoView {
    let kind = lane.kind;
    let pause = lane.pause.as_ref().map(|pause| pause_view(pause, move |at| due(at, now)));
    let quotas = lane.quotas.iter().map(|used_up| {
        let why = format!(" {}", sentence(&used_up.reason));
        let text = (quota_view(used_up, move |at| due(at, now)), why);
        view! { {notice(Tone::Attention, text)} {resume_agent(&used_up.agent)} }
    });
    let quotas = quotas.collect_view();
    let switch = match lane.pause {
        Some(_) => Either::Left(resume(kind)),
        None => Either::Right(pause_form(kind)),
    };
    view! {
        <section class="panel" id=format!("lane-{kind}") data-part="" tabindex="-1" aria-label=format!("Lane {kind}")>
            <header class="panel-head">
                <h2>{kind.as_str()}</h2>
                <span class="panel-note">{standing(&lane)}</span>
                {switch}
            </header>
            {pause.map(|text| notice(Tone::Attention, text))}
            {quotas}
            <dl class="meters">
                <div>
                    <dt>"Running"</dt>
                    <dd>{format!("{}, at most {}", lane.running, lane.concurrency)}</dd>
                    <dd class="lane-bar" aria-hidden="true">{cells(lane.concurrency, lane.running)}</dd>
                </div>
                {lane.rate.map(|rate| view! {
                    <div>
                        <dt>"Started in the last minute"</dt>
                        <dd>{format!("{} of {rate}", lane.started)}</dd>
                        <dd class="lane-bar" aria-hidden="true"><progress class="progress" max=rate value=lane.started></progress></dd>
                    </div>
                })}
                <div>
                    <dt>"Waiting"</dt>
                    <dd>{waiting_text(&lane)}</dd>
                    <dd class="depths">{depths(&lane)}</dd>
                </div>
            </dl>
        </section>
    }
}

/// How the lane stands, in a word or two.
fn standing(lane: &Lane) -> &'static str {
    match lane {
        Lane { pause: Some(_), running: 0, .. } => "Paused",
        Lane { pause: Some(_), .. } => "Paused, finishing what runs",
        Lane { running: 0, waiting: 0, .. } => "Nothing to do",
        Lane { running, concurrency, .. } if running >= concurrency => "As many run as may",
        Lane { rate: Some(rate), started, waiting: 1.., .. } if started >= rate => "At its rate limit",
        Lane { running: 0, .. } => "Waiting for a runner",
        _ => "Running",
    }
}

fn waiting_text(lane: &Lane) -> String {
    match lane.scheduled {
        0 => lane.waiting.to_string(),
        scheduled => format!("{}, and {scheduled} for later", lane.waiting),
    }
}

fn depths(lane: &Lane) -> impl IntoView + use<> {
    let depth = lane.depth.iter().map(|depth| {
        view! {
            <span data-zero=(depth.waiting == 0).then_some("")>{depth.priority.as_str()} " " <b>{depth.waiting}</b></span>
        }
    });
    depth.collect_view()
}

fn pause_form(kind: Kind) -> impl IntoView {
    let reason = Label {
        input: format!("reason-{kind}"),
        ..Label::new("reason", "Why", "Everybody sees it on the board.")
    };
    let length = Label { input: format!("minutes-{kind}"), ..Label::new("minutes", "For how long", "") };
    let options = PAUSES.map(|(minutes, text)| view! { <option value=minutes>{text}</option> });
    let (reason_id, length_id) = (reason.input.clone(), length.input.clone());
    view! {
        <details class="menu">
            <summary class="button">{icon(Shape::Pause)} "Pause"</summary>
            <form class="menu-list menu-form" method="post" action=PauseLane::url() data-live="">
                <input type="hidden" name="lane" value=kind.as_str() />
                {field(reason, None, view! {
                    <input id=reason_id name="reason" maxlength="200" autocomplete="off" required />
                })}
                {field(length, None, view! {
                    <select id=length_id name="minutes">{options.into_iter().collect_view()}</select>
                })}
                <button class="button" data-kind="primary" type="submit">{format!("Pause {kind}")}</button>
            </form>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_lane_says_what_holds_it() {
        let lane = sample::lane(Kind::Command);
        assert_eq!(standing(&lane), "Running");
        assert_eq!(standing(&Lane { running: 5, ..lane.clone() }), "As many run as may");
        assert_eq!(standing(&Lane { started: 50, ..lane.clone() }), "At its rate limit");
        assert_eq!(standing(&Lane { running: 0, waiting: 0, ..lane.clone() }), "Nothing to do");
        assert_eq!(standing(&Lane { running: 0, ..lane.clone() }), "Waiting for a runner");
        assert_eq!(standing(&Lane { pause: Some(sample::pause()), ..lane }), "Paused, finishing what runs");
    }

    #[test]
    fn jobs_for_later_are_counted_apart() {
        let lane = sample::lane(Kind::Command);
        assert_eq!(waiting_text(&lane), "2");
        assert_eq!(waiting_text(&Lane { scheduled: 3, ..lane }), "2, and 3 for later");
    }
}
