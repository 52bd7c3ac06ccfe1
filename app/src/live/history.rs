//! The address of the page that is shown.

use leptos::prelude::{location, window};
use wasm_bindgen::JsValue;

/// Puts another of our addresses into the address bar, for what the page shows now.
pub fn replace_address(address: &str) {
    if let Ok(history) = window().history() {
        // Refused only for an address of another origin.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(address));
    }
}

/// Puts a place of the page into the address, or none.
pub fn replace_hash(hash: &str) {
    let page = location().pathname().and_then(|path| Ok(path + &location().search()?)).unwrap_or_default();
    replace_address(&(page + hash));
}
