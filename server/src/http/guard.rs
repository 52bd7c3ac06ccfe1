//! What every request has to pass and every answer carries.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::Limited;

use super::error::Problem;

const FORM: &str = "application/x-www-form-urlencoded";
/// How much longer the text of a form can be on its way: it writes each byte that is no letter as three.
const FORM_FACTOR: usize = 3;

/// A request that changes something and comes with a browser's cookie must come from one of our own pages. One with a
/// token in its `Authorization` header was made on purpose: no other site can make a browser send that.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !request.headers().contains_key(header::AUTHORIZATION) && !is_same_origin(request.headers())
    {
        return Problem::foreign_origin().into_response();
    }
    next.run(request).await
}

/// Refuses a body that says it is longer than `limit` bytes before any of it is read. One that does not say is cut off
/// while it is read.
pub(super) async fn body_fits(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let limit = if is_form(request.headers()) { limit.saturating_mul(FORM_FACTOR) } else { limit };
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > limit) {
        return Problem::too_large().into_response();
    }
    next.run(request.map(|body| Body::new(Limited::new(body, limit)))).await
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(FORM))
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == "same-origin",
        // Browsers say where a request comes from in one header or the other.
        None => {
            let origin = text(header::ORIGIN).and_then(|origin| origin.parse::<Uri>().ok());
            let host =
                origin.as_ref().and_then(|origin| origin.authority()).map(|authority| authority.as_str());
            host.is_some() && host == text(header::HOST)
        }
    }
}

pub(super) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn our_own_pages_pass_and_others_do_not() {
        assert!(is_same_origin(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(is_same_origin(&headers(&[("origin", "http://host:7100"), ("host", "host:7100")])));
        for foreign in [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://host"), ("host", "host")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://evil"), ("host", "host")],
            &[("origin", "null"), ("host", "host")],
            &[("host", "host")],
            &[],
        ] {
            assert!(!is_same_origin(&headers(foreign)), "{foreign:?}");
        }
    }
}
