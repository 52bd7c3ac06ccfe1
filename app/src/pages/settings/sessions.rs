//! The browsers in which one is signed in.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::{EndSession, EndSessions, SignOut},
    components::time::moment,
    model::{SignedIn, Timestamp},
};

pub fn sessions(sessions: Vec<SignedIn>, now: Timestamp) -> impl IntoView {
    let rows = sessions.into_iter().map(|session| row(session, now)).collect_view();
    view! {
        <section class="panel" aria-labelledby="sessions-title">
            <header class="panel-head">
                <h2 id="sessions-title">"Signed in"</h2>
                <span class="panel-note">"Your browsers"</span>
            </header>
            <div id="sessions" data-part="" tabindex="-1"><ul class="panel-rows">{rows}</ul></div>
            <form class="panel-foot" method="post" action=EndSessions::url()>
                <button class="button" data-kind="danger" type="submit">"Sign out everywhere"</button>
                <span>"Here too. API tokens stay."</span>
            </form>
        </section>
    }
}

fn row(session: SignedIn, now: Timestamp) -> impl IntoView {
    let seen = if session.is_this_one {
        Either::Left("this browser")
    } else {
        Either::Right(("last seen ", moment(session.last_seen_at, now)))
    };
    let end = if session.is_this_one {
        Either::Left(view! {
            <form method="post" action=SignOut::url()>
                <button class="button" type="submit">"Sign out"</button>
            </form>
        })
    } else {
        Either::Right(view! {
            <form method="post" action=EndSession::url() data-live="">
                <input type="hidden" name="id" value=session.id.to_string() />
                <button class="button" type="submit">"Sign out"</button>
            </form>
        })
    };
    view! {
        <li class="setting">
            <div class="min-w-0">
                <p class="truncate"><strong>{session.browser}</strong></p>
                <p class="hint">"Since " {moment(session.created_at, now)} ", " {seen}</p>
            </div>
            {end}
        </li>
    }
}
