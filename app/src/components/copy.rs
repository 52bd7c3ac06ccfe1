//! Text to take along.

use std::time::Duration;

use leptos::prelude::*;

use super::{Shape, icon};

/// A block of code with a button that copies it.
#[component]
pub fn Snippet(#[prop(into)] text: Signal<String>) -> impl IntoView {
    view! {
        <div class="snippet">
            <pre tabindex="0"><code>{text}</code></pre>
            <CopyButton text />
        </div>
    }
}

#[component]
fn CopyButton(text: Signal<String>) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        // The answer comes too late to matter: a browser that refuses leaves the text selectable.
        let _ = window().navigator().clipboard().write_text(&text.get_untracked());
        copied.set(true);
        set_timeout(
            move || {
                let _ = copied.try_set(false);
            },
            Duration::from_secs(2),
        );
    };
    view! {
        <button class="icon-button" type="button" on:click=copy>
            {move || icon(if copied.get() { Shape::Check } else { Shape::Copy })}
            <span class="sr-only" aria-live="polite">{move || if copied.get() { "Copied" } else { "Copy" }}</span>
        </button>
    }
}
