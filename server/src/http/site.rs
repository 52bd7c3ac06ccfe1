//! The built site inside the executable: scripts, styles and fonts, already compressed.

use std::borrow::Cow;

use anyhow::Context as _;
use app::SiteAssets;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::RustEmbed;

/// What `cargo xtask site` writes.
#[derive(RustEmbed)]
#[folder = "../target/site"]
struct Files;

/// Names under these directories carry a hash of their content, so a browser may keep them for ever.
const HASHED: [&str; 2] = ["pkg/", "fonts/"];

/// Compressed siblings of a file, the better first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

pub(super) struct Site {
    assets: SiteAssets,
}

impl Site {
    pub(super) fn load() -> anyhow::Result<Self> {
        let manifest =
            Files::get("manifest.json").context("the site is missing: build it with `cargo xtask site`")?;
        let assets = serde_json::from_slice(&manifest.data).context("the site's manifest.json is broken")?;
        Ok(Self { assets })
    }

    pub(super) fn assets(&self) -> &SiteAssets {
        &self.assets
    }

    /// One route for each file, so that nothing else can be asked for.
    pub(super) fn routes(&self) -> Router {
        let files = Files::iter().filter(|name| {
            name != "manifest.json" && ENCODINGS.iter().all(|(_, suffix)| !name.ends_with(suffix))
        });
        files.fold(Router::new(), |router, name| {
            let path = format!("/{name}");
            router.route(&path, get(move |headers: HeaderMap| std::future::ready(file(&name, &headers))))
        })
    }
}

fn file(name: &str, request: &HeaderMap) -> Response {
    let accepted =
        request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let compressed = ENCODINGS
        .iter()
        .filter(|(encoding, _)| accepts(accepted, encoding))
        .find_map(|(encoding, suffix)| Some((Some(*encoding), Files::get(&format!("{name}{suffix}"))?)));
    let Some((encoding, file)) = compressed.or_else(|| Some((None, Files::get(name)?))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let cache = if HASHED.iter().any(|directory| name.starts_with(directory)) {
        "public, max-age=31536000, immutable"
    } else {
        "public, max-age=3600"
    };
    let body = match file.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Whether an `Accept-Encoding` header takes an encoding; `q=0` means that it does not.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding))
            && parts.all(|parameter| !matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("woff2") => "font/woff2",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn an_encoding_is_taken_when_it_is_named_and_not_refused() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("br;q=1.0, gzip;q=0.8", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("", "br"));
        assert!(!accepts("brotli", "br"));
    }
}
