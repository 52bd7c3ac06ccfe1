//! The board: how the work goes, and all jobs, live.

mod figures;
mod filters;
mod job_row;

use leptos::{either::Either, ev::MouseEvent, prelude::*, task::spawn_local};
use serde::de::DeserializeOwned;
use server_fn::ServerFn;

use self::{
    figures::{figures_sentence, lanes_view},
    filters::BoardFilters,
    job_row::job_row,
};
use super::{Given, Mark, Shape, copy::snippet, icon, overlays::is_plain_click};
use crate::{
    api::{OlderJobs, ReadBoard},
    live::{Clock, Group, LiveState, ask, follow_board, replace_address, show_problem},
    model::{ApiError, Board, Job, JobFilter, JobId, JobPage},
};

/// The whole board under a filter. `repositories` can be chosen among; `may_resume`: this person may resume paused lanes.
#[island]
pub fn BoardView(
    board: Given<Board>,
    filter: Given<JobFilter>,
    repositories: Vec<String>,
    may_resume: bool,
) -> impl IntoView {
    let kinds = board.0.lanes.iter().map(|lane| lane.kind).collect();
    let (board, filter) = (RwSignal::new(board.0), RwSignal::new(filter.0));
    let lanes = Memo::new(move |_| board.with(|board| (board.lanes.clone(), board.figures)));
    let state = LiveState::new();
    let clock = Clock::start();
    Effect::new(move |_| follow_board(board, filter, state));

    view! {
        <div class="page">
            <header class="board-head">
                {move || figures_sentence(lanes.read().1)}
                <a class="button" data-kind="primary" href="/new">{icon(Shape::Plus)} "New job"</a>
            </header>
            {move || lanes.with(|(lanes, figures)| lanes_view(clock, lanes.clone(), *figures, may_resume))}
            <BoardFilters filter kinds repositories choose=move |wanted| choose(wanted, board, filter) />
            {Group::ALL.map(|group| job_group(group, board, clock)).into_iter().collect_view()}
            {empty_board(board, filter)}
            {older_jobs(board, filter)}
        </div>
    }
}

/// Shows the board under another filter, which the address then names.
fn choose(wanted: JobFilter, board: RwSignal<Board>, filter: RwSignal<JobFilter>) {
    filter.set(wanted.clone());
    spawn_local(async move {
        let answer = ask(&wanted.query(ReadBoard::url())).await;
        if filter.get_untracked() == wanted {
            take(answer, move |fresh| board.set(fresh));
            replace_address(&wanted.address());
        }
    });
}

const fn heading(group: Group) -> &'static str {
    match group {
        Group::Running => "Running",
        Group::Waiting => "Waiting",
        Group::Finished => "Finished",
    }
}

/// How many jobs a group has. The waiting ones are listed up to a bound and counted by the figures, which know no filter.
fn count(group: Group, board: &Board) -> String {
    let listed = group.jobs(board).len();
    match group {
        Group::Waiting if board.more_waiting && board.figures.waiting as usize > listed => {
            format!("{listed} of {}", board.figures.waiting)
        }
        Group::Finished => String::new(),
        _ => listed.to_string(),
    }
}

fn job_group(group: Group, board: RwSignal<Board>, clock: Clock) -> impl IntoView {
    let ids = Memo::new(move |_| group.jobs(&board.read()).iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        <section class="group" hidden=move || ids.read().is_empty() data-group=heading(group)>
            <h2>{heading(group)} <span>{move || count(group, &board.read())}</span></h2>
            <ul class="rows">
                <For each=move || ids.get() key=|id| *id let:id>{live_row(group, board, clock, id)}</For>
            </ul>
        </section>
    }
}

/// The row of a job that is in the group now; it keeps its last look while it is taken away.
fn live_row(group: Group, board: RwSignal<Board>, clock: Clock, id: JobId) -> impl IntoView {
    let shown = Memo::new(move |last: Option<&Option<(Job, Option<String>)>>| {
        board.with(|board| {
            let job = group.jobs(board).iter().find(|job| job.id == id).cloned();
            let line = board.last_lines.iter().find(|line| line.id == id).map(|line| line.line.clone());
            job.map(|job| (job, line)).or_else(|| last.cloned().flatten())
        })
    });
    let state = move || shown.with(|shown| shown.as_ref().map(|(job, _)| job.state.as_str()));
    let row = move || shown.with(|shown| shown.as_ref().map(|(job, line)| job_row(clock, job, line.clone())));
    view! { <li class="job-row" data-state=state>{row}</li> }
}

/// Hands an answer on, or says why there is none.
fn take<T: DeserializeOwned>(answer: Result<String, ApiError>, hand_on: impl FnOnce(T)) {
    match answer.and_then(|text| serde_json::from_str(&text).map_err(|_| ApiError::Internal)) {
        Ok(answer) => hand_on(answer),
        Err(error) => show_problem(&error),
    }
}

/// Finished jobs that are not listed: a link to the page that begins with them, which lists them here when it is simply
/// clicked.
fn older_jobs(board: RwSignal<Board>, filter: RwSignal<JobFilter>) -> impl IntoView {
    let loading = RwSignal::new(false);
    let load = move |event: MouseEvent| {
        if !is_plain_click(&event) {
            return;
        }
        event.prevent_default();
        if loading.get_untracked() {
            return;
        }
        let cursor = board.with_untracked(|board| board.next.clone());
        let asked = filter.get_untracked();
        loading.set(true);
        spawn_local(async move {
            let answer = ask(&JobFilter { cursor, ..asked.clone() }.query(OlderJobs::url())).await;
            loading.set(false);
            if filter.get_untracked() == asked {
                take(answer, move |page| board.update(|board| add_older(board, page)));
            }
        });
    };
    let older = move || JobFilter { cursor: board.read().next.clone(), ..filter.get() }.address();
    let (is_first, is_last) = (move || filter.read().cursor.is_none(), move || board.read().next.is_none());
    view! {
        <nav class="more" aria-label="Finished jobs" hidden=move || is_first() && is_last()>
            <a class="button" href=move || filter.get().first_page().address() hidden=is_first>"Latest jobs"</a>
            <a class="button" href=older rel="next" hidden=is_last on:click=load>
                {move || if loading.get() { "Loading…" } else { "Older jobs" }}
            </a>
        </nav>
    }
}

fn add_older(board: &mut Board, page: JobPage) {
    let known: Vec<_> = board.finished.iter().map(|job| job.id).collect();
    board.finished.extend(page.jobs.into_iter().filter(|job| !known.contains(&job.id)));
    board.next = page.next;
}

/// What an empty board teaches.
fn empty_board(board: RwSignal<Board>, filter: RwSignal<JobFilter>) -> impl IntoView {
    let empty = Memo::new(move |_| Group::ALL.into_iter().all(|group| group.jobs(&board.read()).is_empty()));
    let filtered = Memo::new(move |_| *filter.read() != JobFilter::default());
    move || {
        empty.get().then(|| {
            if filtered.get() { Either::Left(no_match()) } else { Either::Right(view! { <FirstJob /> }) }
        })
    }
}

fn no_match() -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"No job matches"</h2>
            <p>"Nothing here has this state and these words. " <a class="link" href="/">"Show all jobs"</a></p>
        </section>
    }
}

/// The board before the first job: how to ask for one, by hand, on GitHub and by program.
#[component]
fn FirstJob() -> impl IntoView {
    let origin = RwSignal::new("http://127.0.0.1:7100".to_owned());
    Effect::new(move |_| {
        if let Ok(address) = location().origin() {
            origin.set(address);
        }
    });
    view! {
        <section class="empty">
            <Mark />
            <h2>"Nothing flows yet"</h2>
            <p>
                "In a job an agent works on a prompt, or a script runs, in a fresh checkout of a repository. "
                "You watch it live."
            </p>
            <p><a class="button" data-kind="primary" href="/new">{icon(Shape::Plus)}"New job"</a></p>
            <p>
                "Or ask in a comment on an issue or pull request, once "
                <a class="link" href="/settings">"GitHub is connected"</a> ":"
            </p>
            {snippet("comment-example", "@millrace fix the flaky test")}
            <p>"Or from a program:"</p>
            {snippet("curl-example", move || curl_example(&origin.read()))}
            <p class="hint">"The token comes from " <code>"millrace token create"</code> "."</p>
        </section>
    }
}

fn curl_example(origin: &str) -> String {
    format!(
        "curl {origin}/api/jobs \\\n  -H \"Authorization: Bearer $MILLRACE_TOKEN\" \\\n  --json '{{\n    \"kind\": \"agent\",\n    \
         \"repository\": \"https://github.com/owner/name\",\n    \"prompt\": \"Fix the flaky test\"\n  }}'"
    )
}
