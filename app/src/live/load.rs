//! Parts of a page that are only asked for when somebody wants to see them.

use leptos::task::spawn_local;
use web_sys::Element;

use super::{ask, show_problem};
use crate::model::ApiError;

/// Puts what the server function in the link's `data-load` answers, which is HTML of our own, where the link's paragraph is.
/// Before, or without, the WASM the link leads to a page with it.
pub fn load(link: Element) {
    let Some(address) = link.get_attribute("data-load") else { return };
    spawn_local(async move {
        let answer = ask(&address).await;
        let html =
            answer.and_then(|html| serde_json::from_str::<String>(&html).map_err(|_| ApiError::Internal));
        match (html, link.parent_element()) {
            (Ok(html), Some(paragraph)) => paragraph.set_outer_html(&html),
            // Something else is there by now.
            (Ok(_), None) => {}
            (Err(error), _) => show_problem(&error),
        }
    });
}
