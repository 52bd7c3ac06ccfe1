//! Notices: what happened, what to do, and a link that does it.

use leptos::prelude::*;

use super::{Shape, icon};
use crate::model::ApiError;

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

/// What a request that failed has to say, with the way out where there is one.
pub fn error_notice(error: &ApiError) -> impl IntoView + use<> {
    let link = (*error == ApiError::SignIn).then(|| view! { <a class="link" href="/sign-in">"Sign in"</a> });
    notice(Tone::Problem, (error.to_string(), " ", link))
}
