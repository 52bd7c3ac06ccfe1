//! Problems as a page, for browsers that asked for one: they happen before any page of the application can be made.

use axum::{
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, html};

/// What a problem says, beside the response that says it to programs.
#[derive(Clone, Debug)]
pub(super) struct Detail(pub String);

/// How soon a browser asks again where the fault is likely to pass, in seconds.
const AGAIN_AFTER: u8 = 5;
/// The colours of `style/main.css`; nothing else is asked for, because the next request may be refused too.
const STYLE: &str = "
    :root {
        color-scheme: light dark;
        color: light-dark(#1f1d1a, #edebe7);
        background: light-dark(#f8f7f4, #141312);
        font: 16px/1.5 system-ui, sans-serif;
    }
    body { display: grid; min-height: 100vh; margin: 0; place-items: center }
    main { max-width: 34rem; padding: 2rem }
    h1 { font-size: 1.4rem }
    a { color: light-dark(#0b6b77, #4cc0cc) }
";

/// Turns a problem into a page. What is below `/api` is for programs, whoever asks.
pub(super) async fn for_people(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    let is_page = accepts.is_some_and(|accepts| accepts.contains("text/html"))
        && *request.method() == Method::GET
        && !request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let Some(Detail(detail)) = response.extensions_mut().remove().filter(|_| is_page) else {
        return response;
    };
    let status = response.status();
    let page = Html(page(status, &detail).into_string()).into_response();
    // When to come again, and what a guard says of its limits.
    let mut headers = response.headers().clone();
    headers.remove(header::CONTENT_LENGTH);
    headers.extend(page.headers().clone());
    (status, headers, page.into_body()).into_response()
}

fn page(status: StatusCode, detail: &str) -> maud::Markup {
    let will_pass = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let title = if will_pass { "Millrace cannot answer for a moment" } else { "That did not work" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                @if status == StatusCode::SERVICE_UNAVAILABLE {
                    meta http-equiv="refresh" content=(AGAIN_AFTER);
                }
                title { "Millrace" }
                style { (STYLE) }
            }
            body {
                main {
                    h1 { (title) }
                    p { (detail) }
                    @if status == StatusCode::SERVICE_UNAVAILABLE {
                        p { "This page tries again by itself." }
                    }
                    p { a href="" { "Try again" } }
                }
            }
        }
    }
}
