//! Posting a form without leaving the page, so that nothing typed is lost when it is refused.

use gloo_net::http::Request;
use leptos::prelude::location;
use web_sys::{FormData, HtmlFormElement, UrlSearchParams};

use crate::model::ApiError;

/// Posts a form of a server function as the browser would. Goes on to where the answer leads, if it leads anywhere.
pub async fn post_form(form: &HtmlFormElement) -> Result<(), ApiError> {
    let fields = FormData::new_with_form(form)
        .and_then(|fields| UrlSearchParams::new_with_str_sequence_sequence(&fields))
        .map_err(|_| ApiError::Internal)?;
    let request = Request::post(&form.action())
        .header("accept", "application/json")
        .body(fields)
        .map_err(|_| ApiError::Internal)?;
    let answer = request.send().await.map_err(|_| ApiError::Unreachable)?;
    if answer.ok() {
        if let Some(next) = answer.headers().get("location") {
            // Refused only for an address that is none.
            let _ = location().assign(&next);
        }
        return Ok(());
    }
    let error = answer.text().await.map_err(|_| ApiError::Unreachable)?;
    Err(serde_json::from_str(&error).unwrap_or(ApiError::Internal))
}
