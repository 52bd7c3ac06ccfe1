//! The board: how the work goes, and all jobs, live.

mod figures;
mod filters;
mod job_row;

use leptos::{either::Either, prelude::*, task::spawn_local};

use self::{
    figures::{FiguresSentence, Lanes},
    filters::BoardFilters,
    job_row::JobRow,
};
use super::{Icon, Mark, Shape, copy::Snippet, notice::ErrorNotice};
use crate::{
    api,
    live::{Group, LiveState, follow_board, provide_clock, replace_address},
    model::{ApiError, Board, Job, JobFilter, JobId},
};

/// The whole board under a filter.
#[island]
pub fn BoardView(board: Board, filter: JobFilter) -> impl IntoView {
    let (board, filter) = (RwSignal::new(board), RwSignal::new(filter));
    let problem = RwSignal::new(None);
    let figures = Memo::new(move |_| board.read().figures);
    let state = LiveState::new();
    provide_clock();
    Effect::new(move |_| follow_board(board, filter, state));

    view! {
        <div class="page">
            <header class="board-head">
                <FiguresSentence figures />
                <a class="button" data-kind="primary" href="/new"><Icon shape=Shape::Plus />"New job"</a>
            </header>
            <Lanes lanes=Memo::new(move |_| board.read().lanes.clone()) figures />
            <BoardFilters
                filter
                kinds=board.read_untracked().lanes.iter().map(|lane| lane.kind).collect()
                choose=move |wanted| choose(wanted, board, filter, problem)
            />
            {move || problem.get().map(|error| view! { <ErrorNotice error /> })}
            {Group::ALL.map(|group| view! { <JobGroup group board /> }).into_iter().collect_view()}
            <EmptyBoard board filter />
            <OlderJobs board filter />
        </div>
    }
}

/// Shows the board under another filter, which the address then names.
fn choose(
    wanted: JobFilter,
    board: RwSignal<Board>,
    filter: RwSignal<JobFilter>,
    problem: RwSignal<Option<ApiError>>,
) {
    filter.set(wanted.clone());
    spawn_local(async move {
        let answer = api::board(wanted.clone()).await;
        if filter.get_untracked() != wanted {
            return;
        }
        problem.set(answer.as_ref().err().cloned());
        if let Ok(fresh) = answer {
            board.set(fresh);
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

/// How many jobs a group has. The waiting ones are listed up to a bound and counted by the figures.
fn count(group: Group, board: &Board) -> String {
    let listed = group.jobs(board).len();
    match group {
        Group::Waiting if board.figures.waiting as usize > listed => {
            format!("{listed} of {}", board.figures.waiting)
        }
        Group::Finished => String::new(),
        _ => listed.to_string(),
    }
}

#[component]
fn JobGroup(group: Group, board: RwSignal<Board>) -> impl IntoView {
    let ids = Memo::new(move |_| group.jobs(&board.read()).iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        <section class="group" hidden=move || ids.read().is_empty() data-group=heading(group)>
            <h2>{heading(group)} <span>{move || count(group, &board.read())}</span></h2>
            <ul class="rows">
                <For each=move || ids.get() key=|id| *id let:id>
                    {live_row(group, board, id)}
                </For>
            </ul>
        </section>
    }
}

/// The row of a job that is in the group now; it keeps its last look while it is taken away.
fn live_row(group: Group, board: RwSignal<Board>, id: JobId) -> Option<impl IntoView> {
    let find = move |board: &Board| group.jobs(board).iter().find(|job| job.id == id).cloned();
    let first = board.with_untracked(find)?;
    let job = Memo::new(move |shown: Option<&Job>| {
        board.with(find).unwrap_or_else(|| shown.unwrap_or(&first).clone())
    });
    let last_line = Memo::new(move |_| {
        board.with(|board| board.last_lines.iter().find(|line| line.id == id).map(|line| line.line.clone()))
    });
    Some(view! { <JobRow job last_line /> })
}

#[component]
fn OlderJobs(board: RwSignal<Board>, filter: RwSignal<JobFilter>) -> impl IntoView {
    let (loading, problem) = (RwSignal::new(false), RwSignal::new(None));
    let next = Memo::new(move |_| board.read().next.clone());
    let load = move |_| {
        let asked = filter.get_untracked();
        let cursor = next.get_untracked();
        loading.set(true);
        spawn_local(async move {
            let answer = api::older_jobs(JobFilter { cursor, ..asked.clone() }).await;
            loading.set(false);
            problem.set(answer.as_ref().err().cloned());
            if let (Ok(page), true) = (answer, filter.get_untracked() == asked) {
                board.update(|board| {
                    let known: Vec<_> = board.finished.iter().map(|job| job.id).collect();
                    board.finished.extend(page.jobs.into_iter().filter(|job| !known.contains(&job.id)));
                    board.next = page.next;
                });
            }
        });
    };
    view! {
        {move || problem.get().map(|error| view! { <ErrorNotice error /> })}
        <button class="button more" type="button" hidden=move || next.read().is_none() disabled=loading on:click=load>
            {move || if loading.get() { "Loading…" } else { "Older jobs" }}
        </button>
    }
}

/// What an empty board teaches.
#[component]
fn EmptyBoard(board: RwSignal<Board>, filter: RwSignal<JobFilter>) -> impl IntoView {
    let empty = Memo::new(move |_| Group::ALL.into_iter().all(|group| group.jobs(&board.read()).is_empty()));
    let filtered = Memo::new(move |_| *filter.read() != JobFilter::default());
    move || {
        empty.get().then(|| {
            if filtered.get() {
                Either::Left(view! { <NoMatch /> })
            } else {
                Either::Right(view! { <FirstJob /> })
            }
        })
    }
}

#[component]
fn NoMatch() -> impl IntoView {
    view! {
        <section class="empty">
            <h2>"No job matches"</h2>
            <p>"Nothing here has this state and these words. " <a class="link" href="/">"Show all jobs"</a></p>
        </section>
    }
}

/// The board before the first job: what to do, by hand and by program.
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
                "A job runs a script in a fresh checkout of a repository, and you watch its output live. "
                "Ask for one here, or from a program:"
            </p>
            <p><a class="button" data-kind="primary" href="/new"><Icon shape=Shape::Plus />"New job"</a></p>
            <Snippet text=Signal::derive(move || curl_example(&origin.read())) />
            <p class="hint">"The token comes from " <code>"millrace token create"</code> "."</p>
        </section>
    }
}

fn curl_example(origin: &str) -> String {
    format!(
        "curl {origin}/api/jobs \\\n  -H \"Authorization: Bearer $MILLRACE_TOKEN\" \\\n  --json '{{\n    \"kind\": \"command\",\n    \
         \"repository\": \"https://github.com/rust-lang/log\",\n    \"script\": \"cargo test\"\n  }}'"
    )
}
