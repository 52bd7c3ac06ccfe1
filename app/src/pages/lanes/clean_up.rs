//! Clean-up: first what would go, then the button that removes it.

use leptos::{either::EitherOf4, prelude::*};
use leptos_router::params::ParamsMap;
use server_fn::ServerFn;

use crate::{
    api::{self, CleanLane},
    components::{
        Shape, Tone, icon, notice,
        state::{job_icon, state_name},
        time::moment,
    },
    model::{ApiError, CleanRequest, Cleaned, JobState, Kind, Timestamp},
    pages::field::{Label, field},
};

/// What can be cleaned up.
const STATES: [JobState; 6] = [
    JobState::Succeeded,
    JobState::Failed,
    JobState::Canceled,
    JobState::Queued,
    JobState::Scheduled,
    JobState::Parked,
];

/// How old jobs have to be, in seconds.
const AGES: [(i64, &str); 6] = [
    (3_600, "1 hour"),
    (86_400, "1 day"),
    (604_800, "1 week"),
    (2_592_000, "30 days"),
    (7_776_000, "90 days"),
    (0, "any time"),
];
const USUAL_AGE: i64 = 604_800;

/// How far a clean-up has come: the address says it.
pub enum CleanUp {
    Unasked,
    /// Somebody wants to see what would go.
    Asked(Kind, CleanRequest),
    Previewed(Kind, CleanRequest, Result<Cleaned, ApiError>),
    /// So many jobs were removed.
    Done(u64),
}

impl CleanUp {
    pub fn asked_for(query: &ParamsMap) -> Self {
        if let Some(removed) = query.get_str("removed").and_then(|removed| removed.parse().ok()) {
            return Self::Done(removed);
        }
        let Some(kind) = query.get_str("clean").and_then(|kind| kind.parse().ok()) else {
            return Self::Unasked;
        };
        let state = query.get("state").unwrap_or_default();
        let older_than = query.get_str("older_than").and_then(|age| age.parse().ok()).unwrap_or(USUAL_AGE);
        Self::Asked(kind, CleanRequest { state, older_than, dry_run: true })
    }

    /// Finds out what would go, if somebody asked.
    pub async fn answer(self) -> Self {
        match self {
            Self::Asked(kind, request) => {
                let answer = api::preview_clean(kind, request.clone()).await;
                Self::Previewed(kind, request, answer)
            }
            other => other,
        }
    }

    /// What the form shows as chosen.
    fn chosen(&self) -> (Option<Kind>, String, i64) {
        match self {
            Self::Asked(kind, request) | Self::Previewed(kind, request, _) => {
                (Some(*kind), request.state.clone(), request.older_than)
            }
            Self::Unasked | Self::Done(_) => (None, String::new(), USUAL_AGE),
        }
    }
}

pub fn clean_up(kinds: &[Kind], cleaning: CleanUp, now: Timestamp) -> impl IntoView + use<> {
    let (kind, state, age) = cleaning.chosen();
    let kinds = kinds
        .iter()
        .map(|of| view! { <option value=of.as_str() selected=kind == Some(*of)>{of.as_str()}</option> });
    let states = STATES.map(|of| {
        view! { <option value=of.as_str() selected=state == of.as_str()>{state_name(of)}</option> }
    });
    let ages =
        AGES.map(|(seconds, text)| view! { <option value=seconds selected=seconds == age>{text}</option> });
    let result = match cleaning {
        CleanUp::Unasked | CleanUp::Asked(..) => EitherOf4::A(()),
        CleanUp::Done(jobs) => {
            EitherOf4::B(notice(Tone::Attention, format!("Removed: {}.", jobs_text(jobs))))
        }
        CleanUp::Previewed(_, _, Err(error)) => EitherOf4::C(notice(Tone::Problem, error.to_string())),
        CleanUp::Previewed(kind, request, Ok(cleaned)) => EitherOf4::D(preview(kind, request, cleaned, now)),
    };
    view! {
        <section class="panel" id="clean-up" aria-labelledby="clean-up-title">
            <header class="panel-head">
                <h2 id="clean-up-title">"Clean up"</h2>
                <span class="panel-note">"You see what goes before it goes."</span>
            </header>
            <form class="clean-form" method="get" action="/lanes#clean-up">
                {field(Label::new("clean", "Lane", ""), None, view! {
                    <select id="clean" name="clean">{kinds.collect_view()}</select>
                })}
                {field(Label::new("state", "Jobs that are", ""), None, view! {
                    <select id="state" name="state">{states.into_iter().collect_view()}</select>
                })}
                {field(Label::new("older_than", "Since more than", ""), None, view! {
                    <select id="older_than" name="older_than">{ages.into_iter().collect_view()}</select>
                })}
                <button class="button" type="submit">{icon(Shape::Search)} "Preview"</button>
            </form>
            {result}
        </section>
    }
}

fn preview(kind: Kind, request: CleanRequest, cleaned: Cleaned, now: Timestamp) -> impl IntoView {
    let text = preview_text(kind, &cleaned);
    let examples = cleaned.examples.into_iter().map(|job| {
        let at = job.finished_at.unwrap_or(job.created_at);
        view! {
            <li class="brief">
                {job_icon(&job)}
                <a class="brief-title" href=format!("/jobs/{}", job.id)>{job.title}</a>
                <span class="hint">{moment(at, now)}</span>
            </li>
        }
    });
    let removal = (cleaned.jobs > 0).then(|| {
        view! {
            <form class="clean-foot" method="post" action=CleanLane::url() data-live="">
                <input type="hidden" name="lane" value=kind.as_str() />
                <input type="hidden" name="request[state]" value=request.state />
                <input type="hidden" name="request[older_than]" value=request.older_than />
                <a class="button" href="/lanes#clean-up">"Keep them"</a>
                <button class="button" data-kind="danger" type="submit">
                    {icon(Shape::Trash)}
                    {format!("Remove {}", jobs_text(cleaned.jobs))}
                </button>
            </form>
        }
    });
    view! {
        <div class="clean-preview">
            <p role="status">{text}</p>
            <ul class="panel-rows">{examples.collect_view()}</ul>
            {removal}
        </div>
    }
}

/// What would go, in a sentence.
fn preview_text(kind: Kind, cleaned: &Cleaned) -> String {
    let state = state_name(cleaned.state).to_lowercase();
    match cleaned.jobs {
        0 => format!("No {state} job of {kind} is that old: nothing would go."),
        jobs => {
            let lines = match cleaned.lines {
                0 => "without any output".to_owned(),
                1 => "with 1 line of output".to_owned(),
                lines => format!("with {lines} lines of output"),
            };
            let pronoun = if jobs == 1 { "It goes" } else { "They go" };
            let oldest = if cleaned.examples.is_empty() { "" } else { " The oldest:" };
            format!("{} of {kind}, {state}, {lines}. {pronoun} for good.{oldest}", jobs_text(jobs))
        }
    }
}

fn jobs_text(jobs: u64) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_says_what_would_go() {
        let cleaned = Cleaned { state: JobState::Failed, jobs: 12, lines: 340, examples: Vec::new() };
        assert_eq!(
            preview_text(Kind::Command, &cleaned),
            "12 jobs of command, failed, with 340 lines of output. They go for good."
        );
        let nothing = Cleaned { jobs: 0, lines: 0, ..cleaned };
        assert_eq!(
            preview_text(Kind::Command, &nothing),
            "No failed job of command is that old: nothing would go."
        );
    }

    #[test]
    fn jobs_in_every_state_but_running_can_be_cleaned_up() {
        for state in JobState::ALL {
            assert_eq!(STATES.contains(state), *state != JobState::Running, "{state}");
        }
    }

    #[test]
    fn an_address_without_a_known_lane_asks_for_nothing() {
        let query: ParamsMap = [("clean", "no-such"), ("state", "failed")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        assert!(matches!(CleanUp::asked_for(&query), CleanUp::Unasked));
    }
}
