//! Forms that are posted without leaving the page, so that nothing typed is lost when they are refused. They are plain forms
//! with `data-live`, and work by themselves before, or without, the WASM.

use gloo_net::http::Request;
use js_sys::{Date, JSON, Reflect};
use leptos::{
    ev,
    prelude::{document, location, window, window_event_listener},
    task::spawn_local,
};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Element, Event, FormData, HtmlElement, HtmlFormElement, HtmlInputElement, NodeList, SubmitEvent,
    UrlSearchParams,
};

use super::{
    ask::refusal,
    notice::{hide_notice, show_problem},
};
use crate::model::ApiError;

/// Rings on the window when a form has done what it is for.
pub const POSTED: &str = "posted";

/// Where an answer leads.
enum Answer {
    /// The page stays, and may have changed.
    Here,
    /// The browser is on its way to another page.
    Elsewhere,
}

/// Posts all live forms of the page from now on.
pub fn take_over_forms() {
    // For as long as the page is there.
    window_event_listener(ev::submit, on_submit);
    // What only we can show cannot be asked for before.
    for button in document().document_element().iter().flat_map(|page| find(page, "[data-answer] [disabled]"))
    {
        unset(&button, "disabled");
    }
    // Without the WASM a time that somebody types is one in UTC, and its hint says so.
    for note in document().document_element().iter().flat_map(|page| find(page, "[data-local-hint]")) {
        if let Some(hint) = note.get_attribute("data-local-hint") {
            note.set_text_content(Some(&hint));
            set(&note, "data-hint", &hint);
        }
    }
}

fn on_submit(event: SubmitEvent) {
    let form = event.target().and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    let Some(form) = form.filter(|form| form.has_attribute("data-live")) else { return };
    event.prevent_default();
    // One click, one request.
    if form.has_attribute("aria-busy") {
        return;
    }
    set(&form, "aria-busy", "true");
    clear_refusal(&form);
    spawn_local(async move {
        match post(&form).await {
            // The form stays busy until the next page is there.
            Ok(Answer::Elsewhere) => return,
            Ok(Answer::Here) => posted(&form),
            Err(error) => show_refusal(&form, &error),
        }
        unset(&form, "aria-busy");
    });
}

/// Posts a form of a server function as the browser would.
async fn post(form: &HtmlFormElement) -> Result<Answer, ApiError> {
    let fields = FormData::new_with_form(form).map_err(|_| ApiError::Internal)?;
    name_instants(form, &fields);
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&fields).map_err(|_| ApiError::Internal)?;
    let request = Request::post(&form.action())
        .header("accept", "application/json")
        .body(fields)
        .map_err(|_| ApiError::Internal)?;
    let answer = request.send().await.map_err(|_| ApiError::Unreachable)?;
    if !answer.ok() {
        let error = answer.text().await.map_err(|_| ApiError::Unreachable)?;
        return Err(refusal(&error));
    }
    let Some(next) = answer.headers().get("location") else {
        if let Some(field) = form.get_attribute("data-answer") {
            show_answer(form, &field, &answer.text().await.map_err(|_| ApiError::Unreachable)?);
        }
        return Ok(Answer::Here);
    };
    // Refused only for an address that is none.
    let _ = location().assign(&next);
    Ok(Answer::Elsewhere)
}

/// Shows one field of the answer: what the server says only once.
fn show_answer(form: &HtmlFormElement, field: &str, answer: &str) {
    let value = JSON::parse(answer).and_then(|answer| Reflect::get(&answer, &field.into()));
    for code in find(form, ".answer code") {
        code.set_text_content(value.as_ref().ok().and_then(JsValue::as_string).as_deref());
    }
    for answer in find(form, ".answer") {
        unset(&answer, "hidden");
    }
}

/// What a person typed as a local time, as an instant: the server does not know their time zone.
fn name_instants(form: &HtmlFormElement, fields: &FormData) {
    for input in find(form, "input[type=datetime-local]") {
        if let Some(input) = input.dyn_ref::<HtmlInputElement>().filter(|input| !input.value().is_empty()) {
            // Fails for no name that a browser accepts.
            let _ = fields.set_with_str(&input.name(), &(Date::parse(&input.value()) as i64).to_string());
        }
    }
}

fn posted(form: &HtmlFormElement) {
    hide_notice();
    form.reset();
    if let Ok(Some(details)) = form.closest("details") {
        unset(&details, "open");
    }
    // A part of the page that has the keyboard in it is not renewed.
    if let Ok(Some(part)) = form.closest("[data-part]")
        && let Some(part) = part.dyn_ref::<HtmlElement>()
    {
        // Fails for no element of a page.
        let _ = part.focus();
    }
    if let Ok(event) = Event::new(POSTED) {
        // Fails only for an event that is being dispatched already.
        let _ = window().dispatch_event(&event);
    }
}

/// Says what was wrong at the field that it was wrong with, or over the page.
fn show_refusal(form: &HtmlFormElement, error: &ApiError) {
    if let ApiError::Invalid { field, message } = error
        && let Ok(Some(note)) = form.query_selector(&format!("[data-note='{field}']"))
        && let Ok(Some(of)) = note.closest(".field")
    {
        note.set_text_content(Some(message));
        set(&of, "data-wrong", "");
        for input in find(&of, "[aria-describedby]") {
            set(&input, "aria-invalid", "true");
        }
        return;
    }
    show_problem(error);
}

fn clear_refusal(form: &HtmlFormElement) {
    hide_notice();
    for field in find(form, ".field[data-wrong]") {
        unset(&field, "data-wrong");
        for input in find(&field, "[aria-invalid]") {
            unset(&input, "aria-invalid");
        }
        for note in find(&field, "[data-note]") {
            note.set_text_content(note.get_attribute("data-hint").as_deref());
        }
    }
}

fn find(root: &Element, selector: &str) -> impl Iterator<Item = Element> {
    let found = root.query_selector_all(selector).ok();
    let count = found.as_ref().map_or(0, NodeList::length);
    (0..count).filter_map(move |index| found.as_ref()?.item(index)?.dyn_into().ok())
}

fn set(element: &Element, name: &str, value: &str) {
    // Fails for no name that a browser accepts.
    let _ = element.set_attribute(name, value);
}

fn unset(element: &Element, name: &str) {
    let _ = element.remove_attribute(name);
}
