//! Notices: what happened, what to do, and a link that does it.

use leptos::prelude::*;

use super::{Icon, Shape};
use crate::model::ApiError;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Attention,
    Problem,
}

/// A notice in the flow of a page.
#[component]
pub fn Notice(tone: Tone, children: Children) -> impl IntoView {
    let (name, role) = match tone {
        Tone::Attention => ("attention", "status"),
        Tone::Problem => ("problem", "alert"),
    };
    view! {
        <div class="notice" data-tone=name role=role>
            <Icon shape=Shape::Warning />
            <div class="min-w-0">{children()}</div>
        </div>
    }
}

/// What a request that failed has to say, with the way out where there is one.
#[component]
pub fn ErrorNotice(error: ApiError) -> impl IntoView {
    let link =
        (error == ApiError::SignIn).then(|| view! { " " <a class="link" href="/sign-in">"Sign in"</a> });
    view! {
        <Notice tone=Tone::Problem>
            {error.to_string()}
            {link}
        </Notice>
    }
}
