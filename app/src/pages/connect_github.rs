//! Connecting GitHub: what will happen, and the form that GitHub makes an App of.

use leptos::{either::Either, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::error::ErrorPage;
use crate::{
    api,
    components::{Tone, notice},
    model::AppForm,
};

#[component]
pub fn ConnectGitHubPage() -> impl IntoView {
    let organisation = use_query_map().with_untracked(|query| query.get("organisation")).unwrap_or_default();
    view! {
        <Title text="Connect GitHub" />
        <Suspense>
            {
                let organisation = organisation.clone();
                Suspend::new(async move {
                    match api::app_form(&organisation).await {
                        Ok(form) => Either::Left(page(form, &organisation)),
                        Err(error) => {
                            Either::Right(view! { <ErrorPage title="GitHub cannot be connected" error /> })
                        }
                    }
                })
            }
        </Suspense>
    }
}

fn page(form: AppForm, organisation: &str) -> impl IntoView + use<> {
    let unreachable = form.is_unreachable.then(|| {
        let text = "GitHub cannot reach this server at its present address, so comments would go unheard. Set `public_url` \
                    under [server] in Leptos.toml to one that is reachable from the internet first.";
        notice(Tone::Attention, text)
    });
    let place = match organisation {
        "" => Either::Left("your own account"),
        name => Either::Right(view! { <strong>{name.to_owned()}</strong> }),
    };
    view! {
        <div class="page narrow">
            <header class="page-head">
                <h1>"Connect GitHub"</h1>
                <p>"GitHub makes an App for " {place} " and sends you back. Then you choose its repositories."</p>
            </header>
            {unreachable}
            <section class="panel" aria-labelledby="app-title">
                <header class="panel-head">
                    <h2 id="app-title">{form.name}</h2>
                    <span class="panel-note">"A private App, yours alone"</span>
                </header>
                <ul class="panel-rows">
                    {may("Reads and writes", "contents, issues, pull requests and checks of the repositories that you choose")}
                    {may("Reads", "who belongs to your organisation, to let people sign in")}
                    {may("Is told", "of comments, issues, pull requests, reviews and checks there")}
                </ul>
                <form class="setting-form" method="post" action=form.action>
                    <input type="hidden" name="manifest" value=form.manifest />
                    <button class="button" data-kind="primary" type="submit">"Create the App at GitHub"</button>
                    <p class="hint">"Its key and secrets are stored here, encrypted."</p>
                </form>
            </section>
            <form class="panel" method="get" action="/settings/github">
                <header class="panel-head"><h2>"For an organisation instead"</h2></header>
                <div class="setting-form">
                    <div class="field">
                        <label for="organisation">"Organisation"</label>
                        <input
                            id="organisation"
                            name="organisation"
                            value=organisation.to_owned()
                            placeholder="acme"
                            maxlength="100"
                            autocomplete="off"
                            spellcheck="false"
                            required
                        />
                    </div>
                    <button class="button" type="submit">"Use this organisation"</button>
                </div>
            </form>
        </div>
    }
}

fn may(what: &'static str, of_what: &'static str) -> impl IntoView {
    view! {
        <li class="setting">
            <p><strong>{what}</strong> " " {of_what} "."</p>
        </li>
    }
}
