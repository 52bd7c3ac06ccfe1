//! A labelled field of a form.

use leptos::prelude::*;

use crate::model::ApiError;

/// What stands around a field's input.
#[derive(Clone)]
pub struct Label {
    /// The field's name, by which a refusal names it.
    pub name: &'static str,
    /// The id of the input: the name, unless the page has several such forms.
    pub input: String,
    pub text: &'static str,
    pub hint: &'static str,
    /// The hint where the WASM is there, if it is another.
    pub local_hint: Option<&'static str>,
}

impl Label {
    pub fn new(name: &'static str, text: &'static str, hint: &'static str) -> Self {
        Self { name, input: name.to_owned(), text, hint, local_hint: None }
    }
}

/// A field with its hint, and in the hint's place what was wrong with it. An input is described by `{its id}-note`.
pub fn field<Input: IntoView>(
    label: Label,
    refusal: Option<&ApiError>,
    input: Input,
) -> impl IntoView + use<Input> {
    let problem = match refusal {
        Some(ApiError::Invalid { field, message }) if field == label.name => Some(message.clone()),
        _ => None,
    };
    let wrong = problem.is_some().then_some("");
    view! {
        <div class="field" data-wrong=wrong>
            <label for=label.input.clone()>{label.text}</label>
            {input}
            <p
                id=format!("{}-note", label.input)
                class="field-note"
                aria-live="polite"
                data-note=label.name
                data-hint=label.hint
                data-local-hint=label.local_hint
            >
                {problem.unwrap_or_else(|| label.hint.to_owned())}
            </p>
        </div>
    }
}
