//! The form that asks for a job. It is posted by the browser itself until the WASM is there; from then on a refusal shows up
//! at its field without leaving the page.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use serde::{Deserialize, Serialize};
use server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::HtmlFormElement;

use super::{Given, Shape, icon, notice::error_notice};
use crate::{
    api::CreateJob,
    live::post_form,
    model::{ApiError, NewJob, Priority},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewJobGiven {
    /// Fills the form.
    pub draft: NewJob,
    /// Are offered.
    pub repositories: Vec<String>,
    /// Why the draft was refused.
    pub refusal: Option<ApiError>,
}

#[island]
pub fn NewJobForm(given: Given<NewJobGiven>) -> impl IntoView {
    let NewJobGiven { draft, repositories, refusal } = given.0;
    let refusal = RwSignal::new(refusal);
    let pending = RwSignal::new(false);
    let priority = draft.priority.and_then(|priority| priority.parse().ok()).unwrap_or(Priority::Normal);
    let post = move |event: SubmitEvent| {
        let Some(form) = event.target().and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else {
            return;
        };
        event.prevent_default();
        pending.set(true);
        spawn_local(async move {
            let answer = post_form(&form).await;
            // A job that was made leads to its page: the button stays as it is until that is there.
            if let Err(error) = answer {
                refusal.set(Some(error));
                pending.set(false);
            }
        });
    };

    view! {
        <form class="form" method="post" action=CreateJob::url() on:submit=post>
            {move || general(refusal.get()).map(|error| error_notice(&error))}
            <input type="hidden" name="job[kind]" value="command" />
            {field("repository", "Repository", "An https or ssh address, or a path on the server.", refusal, view! {
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
            {field("ref", "Branch, tag or commit", "Empty for the default branch.", refusal, view! {
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
            {field("script", "Script", "Runs in the checkout. Exit code 0 is success.", refusal, view! {
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
            {field("priority", "Priority", "", refusal, priority_choice(priority))}
            <footer class="form-foot">
                <a class="button" href="/">"Back"</a>
                <button class="button" data-kind="primary" type="submit" disabled=pending>
                    {icon(Shape::Bolt)}
                    {move || if pending.get() { "Starting…" } else { "Run it" }}
                </button>
            </footer>
        </form>
    }
}

const FIELDS: [&str; 4] = ["repository", "ref", "script", "priority"];

/// A refusal that belongs to no field of the form.
fn general(refusal: Option<ApiError>) -> Option<ApiError> {
    refusal
        .filter(|error| !matches!(error, ApiError::Invalid { field, .. } if FIELDS.contains(&field.as_str())))
}

/// A labelled field with its hint, and in the hint's place what was wrong with the field.
fn field(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    refusal: RwSignal<Option<ApiError>>,
    input: impl IntoView,
) -> impl IntoView {
    let problem = Memo::new(move |_| match &*refusal.read() {
        Some(ApiError::Invalid { field, message }) if field == name => Some(message.clone()),
        _ => None,
    });
    view! {
        <div class="field" data-wrong=move || problem.read().is_some().then_some("")>
            <label for=name>{label}</label>
            {input}
            <p id=format!("{name}-note") class="field-note" aria-live="polite">
                {move || problem.get().unwrap_or_else(|| hint.to_owned())}
            </p>
        </div>
    }
}

fn priority_choice(priority: Priority) -> impl IntoView {
    let choices = Priority::ALL.iter().map(|choice| {
        view! {
            <label>
                <input type="radio" name="job[priority]" value=choice.as_str() checked=*choice == priority />
                <span>{priority_name(*choice)}</span>
            </label>
        }
    });
    view! { <div class="choices" id="priority" role="radiogroup" aria-label="Priority">{choices.collect_view()}</div> }
}

const fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "Critical",
        Priority::High => "High",
        Priority::Normal => "Normal",
        Priority::Low => "Low",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_a_field_is_shown_there_and_any_other_above_the_form() {
        assert_eq!(general(Some(ApiError::invalid("script", "is empty"))), None);
        let other = ApiError::invalid("kind", "is unknown");
        assert_eq!(general(Some(other.clone())), Some(other));
        assert_eq!(general(Some(ApiError::Internal)), Some(ApiError::Internal));
        assert_eq!(general(None), None);
    }
}
