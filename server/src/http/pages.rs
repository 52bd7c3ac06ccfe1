//! The dashboard's pages and server functions, rendered and called through Leptos.

use std::sync::Arc;

use app::{SiteAssets, backend::Backend, model::ApiError};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;

use super::error::Problem;
use crate::backend::Server;

#[derive(Clone)]
pub(super) struct Pages {
    backend: Arc<dyn Backend>,
    assets: SiteAssets,
    /// Where GitHub is: one page has a form for it.
    github: Arc<str>,
}

impl Pages {
    pub(super) fn new(server: Arc<Server>, assets: SiteAssets) -> Self {
        // Leptos runs what a page loads on this. The only error is that an earlier router has done it already.
        let _ = any_spawner::Executor::init_tokio();
        let github = server.config.github.url.origin().ascii_serialization().into();
        Self { backend: server, assets, github }
    }

    /// Renders a page completely before the first byte, so that it works without the WASM and has the right status.
    pub(super) async fn render(State(pages): State<Self>, request: Request<Body>) -> Response {
        let path = request.uri().path().to_owned();
        let context = {
            let backend = Arc::clone(&pages.backend);
            let forms =
                if path == "/settings" { format!("'self' {}", pages.github) } else { "'self'".to_owned() };
            move || {
                provide_context(Arc::clone(&backend));
                forbid_what_is_foreign(&forms);
            }
        };
        let shell = move || app::shell(pages.assets.clone(), &path, theme());
        leptos_axum::render_app_async_with_context(context, shell)(request).await
    }

    pub(super) async fn call_function(State(pages): State<Self>, request: Request<Body>) -> Response {
        let context = move || provide_context(Arc::clone(&pages.backend));
        let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
        with_true_status(response).await
    }
}

/// Leptos answers every error with 500. The error itself is in the body and knows better.
async fn with_true_status(response: Response) -> Response {
    const MOST_BYTES: usize = 64 * 1024;
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST_BYTES).await else {
        return Problem::from(ApiError::Internal).into_response();
    };
    if let Ok(error) = serde_json::from_slice::<ApiError>(&body) {
        parts.status = Problem::from(error).status();
    }
    Response::from_parts(parts, Body::from(body))
}

/// Only scripts that carry this page's nonce run, and what they import. `wasm-unsafe-eval` allows compiling WASM and
/// nothing else. The virtual list positions its rows with style attributes. `forms` is where forms may be posted.
fn forbid_what_is_foreign(forms: &str) {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else { return };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; connect-src 'self'; \
         style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; form-action {forms}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// The colours that the person chose; empty for what the system prefers.
fn theme() -> &'static str {
    let Some(parts) = use_context::<Parts>() else { return "" };
    let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| match cookie.trim() {
            "theme=light" => Some("light"),
            "theme=dark" => Some("dark"),
            _ => None,
        })
        .unwrap_or_default()
}
