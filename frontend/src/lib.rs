//! The WASM of every page but a job's. `app` exports its islands; the page's script hands each its element.

// Linked for its exports.
use app as _;

#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
