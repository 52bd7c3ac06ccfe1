//! Asking for a job.

use leptos::{form::ActionForm, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::{self, CreateJob},
    components::{ErrorNotice, Icon, Shape},
    model::{ApiError, Priority},
};

#[component]
pub fn NewJobPage() -> impl IntoView {
    let create = ServerAction::<CreateJob>::new();
    let query = use_query_map();
    // The address may fill the form: a copy of an earlier job, or what was typed before an error when there is no WASM.
    let given = move |field: &str| query.with_untracked(|query| query.get(field)).unwrap_or_default();
    let error = Memo::new(move |_| create.value().get().and_then(Result::err));
    let priority = given("priority").parse().unwrap_or(Priority::Normal);

    view! {
        <Title text="New job" />
        <div class="page narrow">
            <header class="page-head">
                <h1>"New job"</h1>
                <p>"A script runs in a fresh checkout of a repository. You watch its output live."</p>
            </header>
            <ActionForm action=create>
                <div class="form">
                    {move || general(error.get()).map(|error| view! { <ErrorNotice error /> })}
                    <input type="hidden" name="job[kind]" value="command" />
                    <Field field="repository" label="Repository" hint="An https or ssh address, or a path on the server." error>
                        <input
                            id="repository"
                            name="job[repository]"
                            value=given("repository")
                            list="repositories"
                            placeholder="https://github.com/owner/name"
                            autocomplete="off"
                            autocapitalize="none"
                            spellcheck="false"
                            aria-describedby="repository-error"
                            required
                        />
                        <Repositories />
                    </Field>
                    <Field field="ref" label="Branch, tag or commit" hint="Empty for the default branch." error>
                        <input
                            id="ref"
                            name="job[ref]"
                            value=given("ref")
                            placeholder="main"
                            autocomplete="off"
                            autocapitalize="none"
                            spellcheck="false"
                            aria-describedby="ref-error"
                        />
                    </Field>
                    <Field field="script" label="Script" hint="Runs with sh in the checkout. Exit code 0 is success." error>
                        <textarea
                            id="script"
                            name="job[script]"
                            rows="10"
                            placeholder="cargo test"
                            spellcheck="false"
                            autocapitalize="none"
                            aria-describedby="script-error"
                            required
                        >
                            {given("script")}
                        </textarea>
                    </Field>
                    <Field field="priority" label="Priority" hint="" error>
                        <PriorityChoice priority />
                    </Field>
                    <footer class="form-foot">
                        <a class="button" href="/">"Back"</a>
                        <button class="button" data-kind="primary" type="submit" disabled=create.pending()>
                            <Icon shape=Shape::Bolt />
                            {move || if create.pending().get() { "Asking…" } else { "Run it" }}
                        </button>
                    </footer>
                </div>
            </ActionForm>
        </div>
    }
}

const FIELDS: [&str; 4] = ["repository", "ref", "script", "priority"];

/// An error that belongs to no field of the form.
fn general(error: Option<ApiError>) -> Option<ApiError> {
    error
        .filter(|error| !matches!(error, ApiError::Invalid { field, .. } if FIELDS.contains(&field.as_str())))
}

/// A labelled field with its hint, and in its place the error that the server found in it.
#[component]
fn Field(
    field: &'static str,
    label: &'static str,
    hint: &'static str,
    error: Memo<Option<ApiError>>,
    children: Children,
) -> impl IntoView {
    let problem = Memo::new(move |_| match error.get() {
        Some(ApiError::Invalid { field: wrong, message }) if wrong == field => Some(message),
        _ => None,
    });
    view! {
        <div class="field" data-wrong=move || problem.read().is_some().to_string()>
            <label for=field>{label}</label>
            {children()}
            <p id=format!("{field}-error") class="field-note" aria-live="polite">
                {move || problem.get().unwrap_or_else(|| hint.to_owned())}
            </p>
        </div>
    }
    .into_any()
}

/// Repositories of earlier jobs, to choose from.
#[component]
fn Repositories() -> impl IntoView {
    let repositories = Resource::new(|| (), |()| api::repositories());
    view! {
        <datalist id="repositories">
            <Suspense>
                {move || Suspend::new(async move {
                    let known = repositories.await.unwrap_or_default();
                    known.into_iter().map(|repository| view! { <option value=repository></option> }).collect_view()
                })}
            </Suspense>
        </datalist>
    }
}

#[component]
fn PriorityChoice(priority: Priority) -> impl IntoView {
    let choices = Priority::ALL
        .iter()
        .map(|choice| {
            view! {
                <label>
                    <input type="radio" name="job[priority]" value=choice.as_str() checked=*choice == priority />
                    <span>{priority_name(*choice)}</span>
                </label>
            }
        })
        .collect_view();
    view! { <div class="choices" id="priority" role="radiogroup" aria-label="Priority">{choices}</div> }
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
    fn an_error_of_a_field_is_shown_there_and_any_other_above_the_form() {
        assert_eq!(general(Some(ApiError::invalid("script", "is empty"))), None);
        let other = ApiError::invalid("kind", "is unknown");
        assert_eq!(general(Some(other.clone())), Some(other));
        assert_eq!(general(Some(ApiError::Internal)), Some(ApiError::Internal));
        assert_eq!(general(None), None);
    }
}
