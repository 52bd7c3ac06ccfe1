//! The way in: a one-time link and a button.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::components::{Mark, Tone, notice};

#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let error = query.with_untracked(|query| query.get("error"));
    // A token that was refused is no use any more.
    let token = query.with_untracked(|query| query.get("token")).filter(|_| error.is_none());

    view! {
        <Title text="Sign in" />
        <div class="sign-in">
            <section class="sign-in-side">
                <p class="brand"><Mark /><span>"Millrace"</span></p>
                <div class="sign-in-form">
                    {error.map(|error| notice(Tone::Problem, problem_text(&error)))}
                    {match token {
                        Some(token) => view! { <WithToken token /> }.into_any(),
                        None => view! { <WithoutToken /> }.into_any(),
                    }}
                </div>
                <p class="hint">"A factory for coding agents, on your own machine."</p>
            </section>
            <div class="sign-in-picture" aria-hidden="true">
                <img src="/scene.svg" alt="" width="880" height="1000" />
            </div>
        </div>
    }
}

/// The link was opened. It is used up only by the button, because mail programs and chats open links by themselves.
#[component]
fn WithToken(token: String) -> impl IntoView {
    view! {
        <h1>"Welcome"</h1>
        <p>"Your sign-in link is ready. It works once, for this browser."</p>
        <form method="post" action="/session">
            <input type="hidden" name="token" value=token />
            <button class="button wide" data-kind="primary" type="submit">"Sign in"</button>
        </form>
    }
}

#[component]
fn WithoutToken() -> impl IntoView {
    view! {
        <h1>"Sign in with a link"</h1>
        <p>
            <code>"millrace up"</code>
            " prints a sign-in link when it starts. For a fresh one, run this on the machine where it runs:"
        </p>
        <div class="snippet"><pre><code>"millrace sign-in-link"</code></pre></div>
        <p>"Then open the link that it prints in this browser."</p>
    }
}

fn problem_text(error: &str) -> &'static str {
    match error {
        "expired" => "This link has expired. Make a fresh one.",
        "used" => "This link was used already. Each works once: make a fresh one.",
        _ => "This link is not complete or not ours. Copy all of it, or make a fresh one.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        for error in ["expired", "used", "invalid", "something else"] {
            assert!(problem_text(error).contains("fresh"));
        }
    }
}
