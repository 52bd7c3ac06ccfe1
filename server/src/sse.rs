//! Server-sent events as bytes, so that many viewers can share one encoding.

use bytes::Bytes;
use serde::Serialize;

/// What keeps a connection awake through proxies; viewers do not see it.
pub const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

/// An event with JSON data. JSON has no line breaks of its own, so one `data:` line holds it.
pub fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    if let Err(error) = serde_json::to_writer(&mut text, data) {
        tracing::error!(name, %error, "an event could not be encoded");
        return HEARTBEAT;
    }
    text.extend_from_slice(b"\n\n");
    text.into()
}
