//! A labelled field of a form.

use leptos::{
    attr::{aria_describedby, aria_invalid},
    prelude::*,
};

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

/// A field with its hint, and in the hint's place what was wrong with it.
pub fn field<Input: IntoView>(
    label: Label,
    refusal: Option<&ApiError>,
    input: Input,
) -> impl IntoView + use<Input> {
    let heading = view! { <label for=label.input.clone()>{label.text}</label> };
    with_note(label, refusal, heading, input)
}

/// A field that is a choice: `choices` are radio buttons, each with a label of its own, and the field's names all of them.
pub fn choice_field<Choices: IntoView>(
    label: Label,
    refusal: Option<&ApiError>,
    choices: Choices,
) -> impl IntoView + use<Choices> {
    let (group, name) = (label.input.clone(), format!("{}-label", label.input));
    let heading = view! { <span class="field-label" id=name.clone()>{label.text}</span> };
    let choices = view! {
        <div class="choices" id=group role="radiogroup" aria-labelledby=name>{choices}</div>
    };
    with_note(label, refusal, heading, choices)
}

/// The note describes the input, whose id it has with `-note` behind.
fn with_note<Heading: IntoView, Input: IntoView>(
    label: Label,
    refusal: Option<&ApiError>,
    heading: Heading,
    input: Input,
) -> impl IntoView + use<Heading, Input> {
    let problem = match refusal {
        Some(ApiError::Invalid { field, message }) if field == label.name => Some(message.clone()),
        _ => None,
    };
    let is_wrong = problem.is_some();
    let note = format!("{}-note", label.input);
    let input =
        input.add_any_attr((aria_describedby(note.clone()), aria_invalid(is_wrong.then_some("true"))));
    view! {
        <div class="field" data-wrong=is_wrong.then_some("")>
            {heading}
            {input}
            <p
                id=note
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_described_by_its_note_and_says_whether_it_is_wrong() {
        let html = |refusal: Option<&ApiError>| {
            let input = view! { <input id="ref" name="job[ref]" /> };
            field(Label::new("ref", "Branch", "Empty for the default one."), refusal, input).to_html()
        };

        let right = html(Some(&ApiError::invalid("script", "is empty")));
        assert!(
            right.contains("aria-describedby=\"ref-note\"") && right.contains("id=\"ref-note\""),
            "{right}"
        );
        assert!(!right.contains("aria-invalid") && !right.contains("data-wrong"), "{right}");

        let wrong = html(Some(&ApiError::invalid("ref", "has a space")));
        assert!(wrong.contains("aria-invalid=\"true\"") && wrong.contains("data-wrong"), "{wrong}");
        assert!(wrong.contains("has a space") && !wrong.contains(">Empty"), "{wrong}");
    }

    #[test]
    fn a_choice_has_its_name_from_the_text_above_it() {
        let choices = view! { <label><input type="radio" name="job[kind]" /><span>"A script"</span></label> };
        let html = choice_field(Label::new("kind", "What runs", ""), None, choices).to_html();
        assert!(
            html.contains("id=\"kind-label\"") && html.contains("aria-labelledby=\"kind-label\""),
            "{html}"
        );
        assert!(html.contains("aria-describedby=\"kind-note\"") && !html.contains("<label for"), "{html}");
    }
}
