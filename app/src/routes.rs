//! Every page and its address.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route, Router},
    path,
};

use crate::pages::{
    BoardPage, DeliveriesPage, Frame, JobPage, LanesPage, NewJobPage, NotFoundPage, SettingsPage, SignInPage,
};

/// The whole dashboard. Pages are rendered complete (`SsrMode::Async`), so that they work before, or without, the WASM.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();

    view! {
        <Title formatter=tab_title />
        <Router>
            <Frame>
                <FlatRoutes fallback=NotFoundPage>
                    <Route path=path!("/") view=BoardPage ssr=SsrMode::Async />
                    <Route path=path!("/new") view=NewJobPage ssr=SsrMode::Async />
                    <Route path=path!("/lanes") view=LanesPage ssr=SsrMode::Async />
                    <Route path=path!("/deliveries") view=DeliveriesPage ssr=SsrMode::Async />
                    <Route path=path!("/jobs/:id") view=JobPage ssr=SsrMode::Async />
                    <Route path=path!("/settings") view=SettingsPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                </FlatRoutes>
            </Frame>
        </Router>
    }
}

/// What stands in the browser's tab. Leptos puts it into the HTML as it is, and a job's title is the text of whoever asked
/// for it.
fn tab_title(title: String) -> String {
    let title = if title.is_empty() { "Millrace".to_owned() } else { format!("{title} · Millrace") };
    title.replace('&', "&amp;").replace('<', "&lt;")
}
