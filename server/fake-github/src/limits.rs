//! The API's limits, told on each answer, and answers that did not change, which are not counted.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Duration, Utc};

use crate::{refusal::Refusal, secrets, world::World};

/// Requests an hour with a token, and without one.
const WITH_TOKEN: u64 = 5000;
const WITHOUT_TOKEN: u64 = 60;

/// What each token used, by the token; the empty one is nobody's.
#[derive(Default)]
pub(crate) struct Limits(HashMap<String, Used>);

#[derive(Clone, Copy)]
struct Used {
    count: u64,
    limit: u64,
    resets_at: DateTime<Utc>,
}

impl Limits {
    fn of(&mut self, token: &str) -> &mut Used {
        let limit = if token.is_empty() { WITHOUT_TOKEN } else { WITH_TOKEN };
        let now = Utc::now();
        let fresh = Used { count: 0, limit, resets_at: now + Duration::hours(1) };
        let used = self.0.entry(token.to_owned()).or_insert(fresh);
        if used.resets_at <= now {
            *used = fresh;
        }
        used
    }

    /// As `GET /rate_limit` shows it.
    pub fn render(&mut self, token: &str) -> serde_json::Value {
        let used = self.of(token);
        let core = serde_json::json!({
            "limit": used.limit, "used": used.count, "remaining": used.limit - used.count,
            "reset": used.resets_at.timestamp(), "resource": "core",
        });
        serde_json::json!({ "resources": { "core": core }, "rate": core })
    }
}

/// The token, whichever way it was sent.
pub(crate) fn token(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split_once(' ').map_or("", |(_, token)| token.trim())
}

/// Counts, refuses what is over the limit, and answers 304 where the caller has it already.
pub(crate) async fn count(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let token = token(request.headers()).to_owned();
    let free = request.uri().path().ends_with("/rate_limit");
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let reading = request.method() == Method::GET;
    let over = {
        let mut state = world.lock();
        let used = state.limits.of(&token);
        !free && used.count >= used.limit
    };
    let mut response = if over {
        Refusal::forbidden("API rate limit exceeded.").into_response()
    } else {
        next.run(request).await
    };
    if reading && response.status() == StatusCode::OK {
        response = with_etag(response, known.as_ref().and_then(|known| known.to_str().ok())).await;
    }
    let used = {
        let mut state = world.lock();
        let used = state.limits.of(&token);
        if !over && !free && response.status() != StatusCode::NOT_MODIFIED {
            used.count += 1;
        }
        *used
    };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", used.limit.into());
    headers.insert("x-ratelimit-remaining", (used.limit - used.count).into());
    headers.insert("x-ratelimit-used", used.count.into());
    headers.insert("x-ratelimit-reset", used.resets_at.timestamp().into());
    headers.insert("x-ratelimit-resource", header::HeaderValue::from_static("core"));
    headers.insert("x-github-media-type", header::HeaderValue::from_static("github.v3; format=json"));
    response
}

async fn with_etag(response: Response, known: Option<&str>) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The answer broke off").into_response();
    };
    let tag = format!("W/\"{}\"", secrets::hex(&secrets::sha256(&bytes)));
    let same = known
        .is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == &tag[2..]));
    if let Ok(tag) = tag.parse() {
        parts.headers.insert(header::ETAG, tag);
    }
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}
