//! Text to take along.

use leptos::prelude::*;

use super::{Shape, icon};

/// A button that copies the text of the element with this id; the page's one listener for clicks does it.
pub fn copy_button(id: impl Into<String>) -> impl IntoView {
    let id = id.into();
    view! {
        <button class="icon-button" type="button" data-copies=id>
            {icon(Shape::Copy)}
            <span class="sr-only" aria-live="polite">"Copy"</span>
        </button>
    }
}

/// A block of code with a button that copies it.
pub fn snippet(id: impl Into<String>, text: impl IntoView) -> impl IntoView {
    let id = id.into();
    view! {
        <div class="snippet">
            <pre tabindex="0"><code id=id.clone()>{text}</code></pre>
            {copy_button(id)}
        </div>
    }
}
