//! Tokens: made, shown once, listed, withdrawn.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::{CreateToken, DeleteToken},
    components::{Shape, copy::snippet, icon, time::moment},
    model::{ApiToken, Timestamp},
    pages::field::{Label, field},
};

pub fn tokens(tokens: Vec<ApiToken>, now: Timestamp) -> impl IntoView {
    let list = if tokens.is_empty() {
        Either::Left(
            view! { <p class="panel-empty">"None yet. A token lets a program do here what you may do."</p> },
        )
    } else {
        let rows = tokens.into_iter().map(|token| row(token, now)).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" aria-labelledby="tokens-title">
            <header class="panel-head">
                <h2 id="tokens-title">"API tokens"</h2>
                <span class="panel-note">"For programs that act in your name"</span>
            </header>
            <div id="tokens" data-part="" tabindex="-1">{list}</div>
            {make()}
        </section>
    }
}

fn row(token: ApiToken, now: Timestamp) -> impl IntoView {
    let used = match token.last_used_at {
        Some(at) => Either::Left((", last used ", moment(at, now))),
        None => Either::Right(", never used"),
    };
    view! {
        <li class="setting">
            <div class="min-w-0">
                <p class="truncate"><strong>{token.name}</strong></p>
                <p class="hint">"Made " {moment(token.created_at, now)} {used}</p>
            </div>
            <details class="menu">
                <summary class="button">"Withdraw"</summary>
                <form class="menu-list menu-form" method="post" action=DeleteToken::url() data-live="">
                    <p>"Programs that use it are refused from then on."</p>
                    <input type="hidden" name="id" value=token.id.to_string() />
                    <button class="button" data-kind="danger" type="submit">"Withdraw this token"</button>
                </form>
            </details>
        </li>
    }
}

/// The secret is in one answer only, and nothing but a script can show that: until then the button cannot be pressed.
fn make() -> impl IntoView {
    view! {
        <form class="setting-form" method="post" action=CreateToken::url() data-live="" data-answer="token">
            {field(Label { input: "token-name".to_owned(), ..Label::new("name", "New token", "What it is for.") }, None, view! {
                <input id="token-name" name="name" maxlength="100" autocomplete="off" required />
            })}
            <button class="button" data-kind="primary" type="submit" disabled>{icon(Shape::Plus)} "Make token"</button>
            <noscript>
                <p class="hint">"This needs scripts. Without them: " <code>"millrace token create"</code></p>
            </noscript>
            <div class="answer" hidden>
                <p role="status">"This is the token. It is not shown again: take it along now."</p>
                {snippet("new-token", "")}
            </div>
        </form>
    }
}
