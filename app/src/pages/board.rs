//! The first page: how the work goes, and all jobs.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_location, use_query_map};

use crate::{
    api,
    components::{
        BoardFilters, ErrorNotice, ErrorPage, FiguresSentence, Icon, JobRow, Lanes, Mark, Shape, Snippet,
        filter_from,
    },
    live::{Group, LiveState, follow_board},
    model::{ApiError, Board, Job, JobFilter, JobId},
    page_status,
};

#[component]
pub fn BoardPage() -> impl IntoView {
    let query = use_query_map();
    let on_board = use_location().pathname;
    // The address changes before the page does: on the way to another page the filter stays what it was.
    let filter = Memo::new(move |previous: Option<&JobFilter>| match previous {
        Some(previous) if on_board.get() != "/" => previous.clone(),
        _ => filter_from(&query.read()),
    });
    let board = Resource::new(move || filter.get(), api::board);

    view! {
        <Title text="" />
        <Transition>
            {move || Suspend::new(async move {
                match board.await {
                    Ok(board) => view! { <BoardView board filter /> }.into_any(),
                    Err(error) => {
                        page_status::set_status(&error);
                        view! { <ErrorPage title="The board cannot be shown" message=error.to_string() /> }.into_any()
                    }
                }
            })}
        </Transition>
    }
}

#[component]
fn BoardView(board: Board, filter: Memo<JobFilter>) -> impl IntoView {
    let shown_filter = filter.get_untracked();
    let filtered = shown_filter != JobFilter::default();
    let board = RwSignal::new(board);
    let figures = Memo::new(move |_| board.read().figures);
    let lanes = Memo::new(move |_| board.read().lanes.clone());
    let empty = Memo::new(move |_| Group::ALL.into_iter().all(|group| group.jobs(&board.read()).is_empty()));
    let state = LiveState::of_page();
    Effect::new({
        let filter = shown_filter.clone();
        move |_| follow_board(board, filter.clone(), state)
    });

    view! {
        <div class="page">
            <header class="board-head">
                <FiguresSentence figures />
                <a class="button" data-kind="primary" href="/new"><Icon shape=Shape::Plus />"New job"</a>
            </header>
            <Lanes lanes figures />
            <BoardFilters
                filter
                kinds=Signal::derive(move || lanes.read().iter().map(|lane| lane.kind).collect::<Vec<_>>())
            />
            {Group::ALL.map(|group| view! { <JobGroup group board /> }).into_iter().collect_view()}
            {move || match (empty.get(), filtered) {
                (false, _) => ().into_any(),
                (true, true) => view! { <NoMatch /> }.into_any(),
                (true, false) => view! { <FirstJob /> }.into_any(),
            }}
            <OlderJobs board filter=shown_filter />
        </div>
    }
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
    .into_any()
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
fn OlderJobs(board: RwSignal<Board>, filter: JobFilter) -> impl IntoView {
    let load = Action::new(move |cursor: &String| {
        let filter = JobFilter { cursor: Some(cursor.clone()), ..filter.clone() };
        async move {
            let page = api::older_jobs(filter).await?;
            let _ = board.try_update(|board| {
                let known: Vec<_> = board.finished.iter().map(|job| job.id).collect();
                board.finished.extend(page.jobs.into_iter().filter(|job| !known.contains(&job.id)));
                board.next = page.next;
            });
            Ok::<(), ApiError>(())
        }
    });
    let next = Memo::new(move |_| board.read().next.clone());
    let problem =
        move || load.value().get().and_then(Result::err).map(|error| view! { <ErrorNotice error /> });
    view! {
        {problem}
        <Show when=move || next.read().is_some()>
            <button
                class="button more"
                type="button"
                disabled=load.pending()
                on:click=move |_| if let Some(cursor) = next.get_untracked() { load.dispatch(cursor); }
            >
                {move || if load.pending().get() { "Loading…" } else { "Older jobs" }}
            </button>
        </Show>
    }
    .into_any()
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
    .into_any()
}

fn curl_example(origin: &str) -> String {
    format!(
        "curl {origin}/api/jobs \\\n  -H \"Authorization: Bearer $MILLRACE_TOKEN\" \\\n  --json '{{\n    \"kind\": \"command\",\n    \
         \"repository\": \"https://github.com/rust-lang/log\",\n    \"script\": \"cargo test\"\n  }}'"
    )
}
