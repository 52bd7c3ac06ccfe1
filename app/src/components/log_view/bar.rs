//! The bar over an attempt's output, in either view. It stays while the output scrolls.

use leptos::{html, prelude::*};

use crate::{
    components::{Shape, icon, search::Output},
    live::{Connection, LiveState},
};

/// What every bar knows.
#[derive(Clone, Copy)]
pub struct Bar {
    /// More lines may come.
    pub live: Signal<bool>,
    pub state: LiveState,
    pub panel: NodeRef<html::Section>,
    pub output: Output,
}

/// `about` stands beside the state of the connection, `tools` before what every output has.
pub fn bar(bar: Bar, about: impl IntoView, tools: impl IntoView) -> impl IntoView {
    let Bar { live, state, panel, output } = bar;
    let following = output.following();
    let connection = move || match (live.get(), state.get()) {
        (false, _) => ("ended", "Ended"),
        (true, Connection::Live) => ("live", "Live"),
        (true, Connection::Offline) => ("offline", "Offline"),
        (true, Connection::Refused) => ("offline", "Not live"),
        (true, Connection::Reconnecting | Connection::None) => ("reconnecting", "Connecting"),
    };
    let full_screen = move |_| {
        if document().fullscreen_element().is_some() {
            document().exit_fullscreen();
        } else if let Some(panel) = panel.get_untracked() {
            // A browser may refuse; the output then stays where it is.
            let _ = panel.request_fullscreen();
        }
    };

    view! {
        <div class="log-bar" role="toolbar" aria-label="Output">
            <span class="log-state" role="status" data-state=move || connection().0>
                <i aria-hidden="true"></i>
                {move || connection().1}
            </span>
            {about}
            <span class="grow"></span>
            <button
                class="log-tool"
                data-kind="follow"
                type="button"
                title="Follow (F)"
                hidden=move || following.get() || !live.get()
                on:click=move |_| output.follow()
            >
                {icon(Shape::Down)}
                "Follow"
            </button>
            {tools}
            <button class="log-tool" type="button" title="Full screen" on:click=full_screen>
                {icon(Shape::Expand)}
                <span class="sr-only">"Full screen"</span>
            </button>
        </div>
    }
}
