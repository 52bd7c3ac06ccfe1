//! Server-sent events, all at once: nothing of what is tested depends on their pace.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;

/// Events by the name that their `type` gives them.
pub(crate) fn named(events: &[Value]) -> Response {
    let events = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {event}\n\n")
    });
    stream(events.collect())
}

/// Events without a name, and at their end what the format wants there.
pub(crate) fn plain(events: &[Value], end: &str) -> Response {
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    stream(events + end)
}

fn stream(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}
