//! Notices: what happened, what to do, and a link that does it.

use leptos::prelude::*;

use super::{Shape, icon};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Attention,
    Problem,
}

/// A notice in the flow of a page.
pub fn notice(tone: Tone, content: impl IntoView) -> impl IntoView {
    let (name, role) = match tone {
        Tone::Attention => ("attention", "status"),
        Tone::Problem => ("problem", "alert"),
    };
    view! {
        <div class="notice" data-tone=name role=role>
            {icon(Shape::Warning)}
            <div class="min-w-0">{content}</div>
        </div>
    }
}
