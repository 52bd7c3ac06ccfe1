//! The form that asks for a job.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::field::{Label, field};
use crate::{
    api::CreateJob,
    components::{Shape, icon, time::form_time},
    model::{ApiError, NewJob, Priority, Timestamp},
};

/// How many attempts a form can ask for.
const MOST_ATTEMPTS: u32 = 20;

/// `draft` fills the form, `repositories` are offered, and `refusal` is why the draft was refused.
#[component]
pub fn NewJobForm(draft: NewJob, repositories: Vec<String>, refusal: Option<ApiError>) -> impl IntoView {
    let refusal = refusal.as_ref();
    let priority = draft.priority.as_deref().and_then(|word| word.parse().ok()).unwrap_or(Priority::Normal);
    let repository =
        Label::new("repository", "Repository", "An https or ssh address, or a path on the server.");
    let git_ref = Label::new("ref", "Branch, tag or commit", "Empty for the default branch.");
    let script = Label::new(
        "script",
        "Script",
        "Runs in the checkout with bash -e, or with the program that its #! line names. Exit code 0 is success.",
    );
    view! {
        <form class="form" method="post" action=CreateJob::url() data-live="">
            <input type="hidden" name="job[kind]" value="command" />
            {field(repository, refusal, view! {
                <input
                    id="repository"
                    name="job[repository]"
                    value=draft.repository
                    list="repositories"
                    placeholder="https://github.com/owner/name"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby="repository-note"
                    required
                />
            })}
            <datalist id="repositories">
                {repositories.into_iter().map(|repository| view! { <option value=repository></option> }).collect_view()}
            </datalist>
            {field(git_ref, refusal, view! {
                <input
                    id="ref"
                    name="job[ref]"
                    value=draft.git_ref
                    placeholder="main"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby="ref-note"
                />
            })}
            {field(script, refusal, view! {
                <textarea
                    id="script"
                    name="job[script]"
                    rows="10"
                    placeholder="cargo test"
                    autocapitalize="none"
                    spellcheck="false"
                    aria-describedby="script-note"
                    required
                >
                    {draft.script}
                </textarea>
            })}
            {field(Label::new("priority", "Priority", ""), refusal, priority_choice(priority))}
            {more(draft.max_attempts, draft.run_at, refusal)}
            <footer class="form-foot">
                <a class="button" href="/">"Back"</a>
                <button class="button" data-kind="primary" type="submit">{icon(Shape::Bolt)} "Run it"</button>
            </footer>
        </form>
    }
}

/// What most jobs leave as it is. Open when something in it was chosen, or was wrong.
fn more(attempts: Option<u32>, run_at: Option<i64>, refusal: Option<&ApiError>) -> impl IntoView + use<> {
    let wrong = matches!(refusal, Some(ApiError::Invalid { field, .. }) if field == "max_attempts" || field == "run_at");
    let open = wrong || attempts.is_some() || run_at.is_some();
    let attempts_label = Label::new(
        "max_attempts",
        "Attempts",
        "How often it is tried before it has failed. Empty for the usual number.",
    );
    let start_label = Label {
        local_hint: Some("In your time zone. Empty to start as soon as possible."),
        ..Label::new("run_at", "Start", "In UTC. Empty to start as soon as possible.")
    };
    view! {
        <details class="more-fields" open=open>
            <summary>"More"</summary>
            <div class="field-row">
                {field(attempts_label, refusal, view! {
                    <input
                        id="max_attempts"
                        name="job[max_attempts]"
                        type="number"
                        min="1"
                        max=MOST_ATTEMPTS
                        value=attempts
                        aria-describedby="max_attempts-note"
                    />
                })}
                {field(start_label, refusal, view! {
                    <input
                        id="run_at"
                        name="start"
                        type="datetime-local"
                        value=run_at.map(|at| form_time(Timestamp(at)))
                        aria-describedby="run_at-note"
                    />
                })}
            </div>
        </details>
    }
}

fn priority_choice(priority: Priority) -> impl IntoView {
    let choices = Priority::ALL.iter().map(|choice| {
        view! {
            <label>
                <input type="radio" name="job[priority]" value=choice.as_str() checked=*choice == priority />
                <span class="capitalize">{choice.as_str()}</span>
            </label>
        }
    });
    view! { <div class="choices" id="priority" role="radiogroup" aria-label="Priority">{choices.collect_view()}</div> }
}
