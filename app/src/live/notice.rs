//! The notice over every page that says what went wrong and what to do. The frame renders it, empty or with why the form was
//! refused that led here.

use leptos::prelude::document;

use crate::model::ApiError;

/// The id of the notice, of its text and of its link to the sign-in page.
pub const NOTICE: &str = "notice";
pub const NOTICE_TEXT: &str = "notice-text";
pub const NOTICE_LINK: &str = "notice-link";

pub fn show_problem(error: &ApiError) {
    show_message(&error.to_string());
    if *error == ApiError::SignIn { show(NOTICE_LINK) } else { hide(NOTICE_LINK) }
}

pub fn show_message(text: &str) {
    if let Some(line) = document().get_element_by_id(NOTICE_TEXT) {
        line.set_text_content(Some(text));
    }
    show(NOTICE);
}

pub fn hide_notice() {
    hide(NOTICE);
}

fn show(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        // Fails for no name that a browser accepts.
        let _ = element.remove_attribute("hidden");
    }
}

fn hide(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let _ = element.set_attribute("hidden", "");
    }
}
