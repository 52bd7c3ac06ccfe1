//! The way in: GitHub, or a one-time link and a button.

use leptos::{either::Either, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::github_problem::github_problem;
use crate::{
    backend,
    components::{Mark, Tone, notice},
    model::address,
};

#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let error = query.with_untracked(|query| query.get("error"));
    // A token that was refused is no use any more.
    let token = query.with_untracked(|query| query.get("token")).filter(|_| error.is_none());
    let next = query.with_untracked(|query| query.get("next"));

    view! {
        <Title text="Sign in" />
        <div class="sign-in">
            <section class="sign-in-side">
                <p class="brand"><Mark /><span>"Millrace"</span></p>
                <div class="sign-in-form">
                    {error.map(|error| notice(Tone::Problem, problem_text(&error)))}
                    {match token {
                        Some(token) => view! { <WithToken token next /> }.into_any(),
                        None => view! { <WithoutToken next /> }.into_any(),
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
fn WithToken(token: String, next: Option<String>) -> impl IntoView {
    view! {
        <h1>"Welcome"</h1>
        <p>"Your sign-in link is ready. It works once, for this browser."</p>
        <form method="post" action="/session">
            <input type="hidden" name="token" value=token />
            {next.map(|next| view! { <input type="hidden" name="next" value=next /> })}
            <button class="button wide" data-kind="primary" type="submit">"Sign in"</button>
        </form>
    }
}

#[component]
fn WithoutToken(next: Option<String>) -> impl IntoView {
    view! {
        <Suspense>
            {Suspend::new(async move {
                if backend::signs_in_with_github().await {
                    Either::Left(with_github(next))
                } else {
                    Either::Right(with_link())
                }
            })}
        </Suspense>
    }
}

fn with_github(next: Option<String>) -> impl IntoView {
    let href = address("/auth/github", &[("next", next.as_deref())]);
    view! {
        <h1>"Sign in"</h1>
        <p>"A comment becomes a job, and a job becomes a pull request. Watch it happen."</p>
        <a class="button wide" data-kind="primary" href=href>{github_mark()} "Sign in with GitHub"</a>
        <details class="sign-in-other">
            <summary>"Sign in with a link"</summary>
            {how_to_get_a_link()}
        </details>
    }
}

fn with_link() -> impl IntoView {
    view! {
        <h1>"Sign in with a link"</h1>
        {how_to_get_a_link()}
    }
}

fn how_to_get_a_link() -> impl IntoView {
    view! {
        <p>
            <code>"millrace up"</code>
            " prints a sign-in link when it starts. For a fresh one, run this on the machine where it runs:"
        </p>
        <div class="snippet"><pre><code>"millrace sign-in-link"</code></pre></div>
        <p>"Then open the link that it prints in this browser."</p>
    }
}

/// GitHub's mark, which is a shape and not a stroke.
fn github_mark() -> impl IntoView {
    view! {
        <svg class="github-mark" viewBox="0 0 16 16" aria-hidden="true">
            <path d="M8 0c4.42 0 8 3.58 8 8a8.013 8.013 0 0 1-5.45 7.59c-.4.08-.55-.17-.55-.38 0-.27.01-1.13.01-2.2 0-.75-.25-1.23-.54-1.48 1.78-.2 3.65-.88 3.65-3.95 0-.88-.31-1.59-.82-2.15.08-.2.36-1.02-.08-2.12 0 0-.67-.22-2.2.82-.64-.18-1.32-.27-2-.27-.68 0-1.36.09-2 .27-1.53-1.03-2.2-.82-2.2-.82-.44 1.1-.16 1.92-.08 2.12-.51.56-.82 1.28-.82 2.15 0 3.06 1.86 3.75 3.64 3.95-.23.2-.44.55-.51 1.07-.46.21-1.61.55-2.33-.66-.15-.24-.6-.83-1.23-.82-.67.01-.27.38.01.53.34.19.73.9.82 1.13.16.45.68 1.31 2.69.94 0 .67.01 1.3.01 1.49 0 .21-.15.45-.55.38A7.995 7.995 0 0 1 0 8c0-4.42 3.58-8 8-8Z" />
        </svg>
    }
}

fn problem_text(error: &str) -> &'static str {
    github_problem(error).unwrap_or(match error {
        "expired" => "This link has expired. Make a fresh one.",
        "used" => "This link was used already. Each works once: make a fresh one.",
        _ => "This link is not complete or not ours. Copy all of it, or make a fresh one.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        for error in ["expired", "used", "invalid", "something else"] {
            assert!(problem_text(error).contains("fresh"));
        }
        assert!(problem_text("github_denied").contains("Authorize"));
    }
}
