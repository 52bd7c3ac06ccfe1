//! Who may come in: for owners.

use leptos::{either::Either, prelude::*};
use server_fn::ServerFn;

use crate::{
    api::{AdmitAgain, RemoveAccount, SetRole},
    components::time::moment,
    model::{Account, Accounts, Role, Timestamp, UserId},
};

pub fn people(people: Accounts, me: UserId, signs_in_with_github: bool, now: Timestamp) -> impl IntoView {
    let rows = people.accounts.into_iter().map(|account| {
        let can_link = account.id == me && signs_in_with_github && account.github_login.is_none();
        row(account, can_link, now)
    });
    let members = if people.members.is_empty() {
        Either::Left("Nobody else comes in with GitHub. ")
    } else {
        let names = people.members.into_iter().enumerate();
        let names = names.map(|(index, name)| view! { {(index > 0).then_some(", ")} <code>{name}</code> });
        Either::Right(view! { "Besides, these come in with GitHub: " {names.collect_view()} ". " })
    };
    view! {
        <section class="panel" aria-labelledby="people-title">
            <header class="panel-head">
                <h2 id="people-title">"People"</h2>
                <span class="panel-note">"Who may come in"</span>
            </header>
            <div id="people" data-part="" tabindex="-1"><ul class="panel-rows">{rows.collect_view()}</ul></div>
            <div class="panel-foot">
                <p>{members} "Change it with " <code>"members"</code> " under [github] in Leptos.toml."</p>
            </div>
        </section>
    }
}

fn row(account: Account, can_link: bool, now: Timestamp) -> impl IntoView {
    let github = account.github_login.filter(|login| *login != account.login);
    let seen = match account.last_seen_at {
        Some(at) => Either::Left((", last seen ", moment(at, now))),
        None => Either::Right(", not seen lately"),
    };
    let standing = if account.is_removed { "sent away" } else { account.role.as_str() };
    let id = account.id.to_string();
    let actions = if account.is_removed {
        Either::Left(view! {
            <form method="post" action=AdmitAgain::url() data-live="">
                <input type="hidden" name="id" value=id />
                <button class="button" type="submit">"Let in again"</button>
            </form>
        })
    } else {
        Either::Right(menu(id, account.role))
    };
    view! {
        <li class="setting">
            <div class="min-w-0">
                <p class="truncate">
                    <strong>{account.login}</strong>
                    {github.map(|login| view! { <span class="hint">" " {login} " at GitHub"</span> })}
                </p>
                <p class="hint">
                    {standing} {seen}
                    {can_link.then(|| view! { " · " <a class="link" href="/auth/github">"Link my GitHub account"</a> })}
                </p>
            </div>
            {actions}
        </li>
    }
}

fn menu(id: String, role: Role) -> impl IntoView {
    let (other, change, meaning) = match role {
        Role::Owner => (Role::Member, "Make a member", "Members see the jobs that they asked for."),
        Role::Member => (Role::Owner, "Make an owner", "Owners see and manage everything."),
    };
    view! {
        <details class="menu">
            <summary class="button">"Change"</summary>
            <div class="menu-list menu-form">
                <form method="post" action=SetRole::url() data-live="">
                    <p>{meaning}</p>
                    <input type="hidden" name="id" value=id.clone() />
                    <input type="hidden" name="role" value=other.as_str() />
                    <button class="button" type="submit">{change}</button>
                </form>
                <form method="post" action=RemoveAccount::url() data-live="">
                    <p>"Signed out everywhere, tokens withdrawn, and not let in again. Their jobs stay."</p>
                    <input type="hidden" name="id" value=id />
                    <button class="button" data-kind="danger" type="submit">"Send away"</button>
                </form>
            </div>
        </details>
    }
}
