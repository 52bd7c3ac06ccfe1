//! What an attempt changed, on its job's page: files with their diffs, unified or side by side, which is a matter of the style
//! sheet alone. Large files come when somebody asks for them.

mod file;
mod rows;

use leptos::prelude::*;

use self::{
    file::file_view,
    rows::{Rows, rows_html},
};
use crate::{
    backend,
    components::{Shape, Tone, icon, notice, words::sentence},
    model::{AgentOutcome, ApiError, Attempt, AttemptState, ChangedFile, Diff, Job, JobId, Kind},
};

/// A file of which more is to be shown than at first, and the first row of that: what the browser would ask for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub file: u32,
    pub from: u32,
}

/// The diff of an attempt, with the rows that are wanted.
pub async fn load(job: &Job, attempt: u32, wanted: Option<Wanted>) -> Result<Diff, ApiError> {
    if attempt == 0 {
        return Ok(Diff::default());
    }
    let (backend, person) = backend::caller().await?;
    let mut diff = backend.diff(&person, job.id, attempt).await?;
    if let Some(Wanted { file, from }) = wanted
        && let Some(shown) = diff.files.get_mut(file as usize)
    {
        shown.shown = Some(backend.file_diff(&person, job.id, attempt, file, from).await?);
    }
    Ok(diff)
}

/// The part of the page below the tabs.
pub fn changes(job: &Job, attempt: Option<&Attempt>, diff: Diff) -> impl IntoView + use<> {
    let body = if diff.files.is_empty() {
        view! { <p class="changes-empty">{empty_text(job, attempt)}</p> }.into_any()
    } else {
        found(job, attempt, diff).into_any()
    };
    view! { <section class="changes" id="changes" aria-label="Changes" data-part="">{body}</section> }
}

fn found(job: &Job, attempt: Option<&Attempt>, diff: Diff) -> impl IntoView + use<> {
    let (id, number) = (job.id, attempt.map_or(0, |attempt| attempt.attempt));
    let all = |of: fn(&ChangedFile) -> u32| diff.files.iter().map(|file| of(&file.file)).sum::<u32>();
    let (additions, deletions) = (all(|file| file.additions), all(|file| file.deletions));
    let count = diff.files.len();
    let withheld =
        attempt.filter(|attempt| outcome(attempt) == Some(AgentOutcome::SecretFound)).map(|attempt| {
            let why = sentence(attempt.error.as_deref().unwrap_or("A secret was found in the changes"));
            notice(Tone::Problem, format!("Nothing was published. {why} Where it was, the diff shows ***."))
        });
    let cut = diff.cut.then(|| {
        notice(Tone::Attention, "The diff is longer than what is kept of it: files are missing from its end.")
    });
    let files = diff
        .files
        .into_iter()
        .zip(0..)
        .map(|(file, index)| file_view(file, Rows { job: id, attempt: number, file: index }));
    view! {
        <header class="changes-head">
            <p>
                <strong>{count} {if count == 1 { " file changed" } else { " files changed" }}</strong>
                " "
                <span class="added">{format!("+{additions}")}</span>
                " "
                <span class="removed">{format!("−{deletions}")}</span>
            </p>
            {view_choice()}
            <a class="button" href=format!("/api/jobs/{id}/changes.patch?attempt={number}") download="">
                {icon(Shape::Download)}
                "Patch"
            </a>
        </header>
        {withheld}
        {cut}
        {files.collect_view()}
    }
}

/// How the diff is laid out. Only where there is room for two sides; elsewhere it is always unified.
fn view_choice() -> impl IntoView {
    let is_split = backend::has_cookie("diff", "split");
    view! {
        <fieldset class="choices changes-view">
            <legend class="sr-only">"Layout"</legend>
            <label>
                <input type="radio" name="diff" data-remembers="diff=unified" checked=!is_split />
                <span>"Unified"</span>
            </label>
            <label>
                <input type="radio" name="diff" data-remembers="diff=split" id="diff-split" checked=is_split />
                <span>"Side by side"</span>
            </label>
        </fieldset>
    }
}

fn outcome(attempt: &Attempt) -> Option<AgentOutcome> {
    attempt.agent.as_ref()?.outcome
}

/// Why there is nothing to see.
fn empty_text(job: &Job, attempt: Option<&Attempt>) -> &'static str {
    let Some(attempt) = attempt else {
        return "Nothing yet: the job waits for its first attempt.";
    };
    match (job.kind, attempt.state, outcome(attempt)) {
        (Kind::Command, ..) => {
            "Only the changes of agents are kept. What a script changes goes with its checkout."
        }
        (_, AttemptState::Running, _) => {
            "The agent is at work. What it has changed is shown here when it has finished."
        }
        (_, _, Some(AgentOutcome::NoChange)) => "The agent finished and left nothing to commit.",
        (_, AttemptState::Succeeded, _) => "There is nothing left to see of what was changed.",
        (_, AttemptState::Canceled, _) => "The attempt was stopped before anything was committed.",
        (_, AttemptState::Failed | AttemptState::Lost, _) => {
            "The attempt ended before anything was committed."
        }
    }
}

/// More rows of a file, as HTML for the browser to put in.
pub async fn more_rows(id: JobId, attempt: u32, file: u32, from: u32) -> Result<String, ApiError> {
    let (backend, person) = backend::caller().await?;
    let diff = backend.file_diff(&person, id, attempt, file, from).await?;
    Ok(rows_html(diff, Rows { job: id, attempt, file }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AgentRun, Timestamp, sample};

    #[test]
    fn an_empty_page_says_why() {
        let job = Job { kind: Kind::Agent, ..sample::job(1) };
        let attempt = |state, outcome| Attempt {
            attempt: 1,
            state,
            runner: "mill".to_owned(),
            started_at: Timestamp(0),
            finished_at: None,
            exit_code: None,
            error: None,
            commit: None,
            lines: None,
            agent: Some(AgentRun { outcome, ..AgentRun::default() }),
        };
        let text = |state, outcome| empty_text(&job, Some(&attempt(state, outcome)));

        assert!(empty_text(&job, None).starts_with("Nothing yet"));
        assert!(text(AttemptState::Running, None).starts_with("The agent is at work"));
        assert_eq!(
            text(AttemptState::Succeeded, Some(AgentOutcome::NoChange)),
            "The agent finished and left nothing to commit."
        );
        assert!(
            text(AttemptState::Failed, Some(AgentOutcome::Quota)).contains("before anything was committed")
        );
    }
}
