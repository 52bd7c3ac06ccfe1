//! The pages on which a person tries it all.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use maud::{DOCTYPE, Markup, html};

use crate::world::World;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
}

/// A whole page around this.
pub(crate) fn page(title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) " · Fake GitHub" }
            }
            body {
                header { a href="/" { "Fake GitHub" } }
                main { h1 { (title) } (content) }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// On to another page, by GET.
pub(crate) fn redirect(address: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, address.to_owned())]).into_response()
}
