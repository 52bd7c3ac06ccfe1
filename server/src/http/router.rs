//! Every route.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodFilter, delete, get, on, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    trace::TraceLayer,
};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

use super::{
    address, board_stream, error, guard, health, job_stream, lanes,
    limit::{self, Limits},
    metrics,
    pages::Pages,
    rest, schedules, session,
    site::Site,
    tokens,
};
use crate::{backend::Server, db::sessions::PostgresSessions};

/// The whole web side.
pub fn router(server: Arc<Server>) -> anyhow::Result<Router> {
    let site = Site::load()?;
    let pages = Pages::new(Arc::clone(&server), site.assets().clone());

    let limits = Limits::new(&server.config.limits);

    // Where somebody says who they are. Webhooks, which carry a signature, belong here too.
    let sign_in = Router::new()
        .route("/session", post(session::sign_in))
        .method_not_allowed_fallback(rest::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&limits), limit::failures))
        .with_state(Arc::clone(&server));

    let api = Router::new()
        .route("/api/jobs", get(rest::list_jobs).post(rest::create_job))
        .route("/api/jobs/{id}", get(rest::get_job).delete(rest::delete_job))
        .route("/api/jobs/{id}/cancel", post(rest::cancel_job))
        .route("/api/jobs/{id}/retry", post(rest::retry_job))
        .route("/api/jobs/{id}/attempts", get(rest::list_attempts))
        .route("/api/jobs/{id}/output", get(rest::get_output))
        .route("/api/jobs/{id}/output.txt", get(rest::get_output_text))
        .route("/api/lanes", get(lanes::list))
        .route("/api/lanes/{lane}/pause", post(lanes::pause))
        .route("/api/lanes/{lane}/resume", post(lanes::resume))
        .route("/api/lanes/{lane}/clean", post(lanes::clean))
        .route("/api/schedules", get(schedules::list_schedules).post(schedules::create_schedule))
        .route("/api/schedules/{id}", delete(schedules::delete_schedule))
        .route("/api/tokens", get(tokens::list_tokens).post(tokens::create_token))
        .route("/api/tokens/{id}", delete(tokens::delete_token))
        .route("/api/{*path}", get(rest::no_such_route).fallback(rest::no_such_route))
        .method_not_allowed_fallback(rest::wrong_method)
        .with_state(Arc::clone(&server));

    // Apart from the rest, because each layer around a body costs a live line some time, and none of them is for streams.
    let streams = Router::new()
        .route("/api/jobs/stream", get(board_stream::board_stream))
        .route("/api/jobs/{id}/stream", get(job_stream::job_stream))
        .method_not_allowed_fallback(rest::wrong_method)
        .layer(middleware::from_fn(guard::same_origin))
        .layer(session_layer(&server))
        .with_state(Arc::clone(&server));

    // The server functions in `app/src/api`, each at its own address below `/api`.
    let mut functions = Router::new();
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        let method = MethodFilter::try_from(method)?;
        functions = functions.route(path, on(method, Pages::call_function).with_state(pages.clone()));
    }

    let functions = functions.method_not_allowed_fallback(rest::wrong_method);

    // Everything else is a page; `app/src/routes.rs` lists them.
    let pages = Router::new()
        .fallback(get(Pages::render))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), session::require_person))
        .with_state(pages);

    let max_body_bytes = server.config.server.max_body_bytes;
    let server_config = Arc::new(server.config.server.clone());
    Ok(Router::new()
        .merge(sign_in)
        .merge(api)
        .merge(functions)
        .merge(pages)
        .layer(middleware::from_fn(guard::same_origin))
        .layer(session_layer(&server))
        // Instead of axum's own limit, which is lower and only holds for its extractors.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(max_body_bytes))
        .layer(middleware::from_fn_with_state(max_body_bytes, guard::body_fits))
        .layer(middleware::from_fn_with_state(limits, limit::requests))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(metrics::measure))
        .layer(TraceLayer::new_for_http())
        .merge(streams)
        .merge(site.routes())
        .route("/healthz", get(health::alive))
        .route("/metrics", get(metrics::of_server).with_state(server.lifecycle.clone()))
        .route("/readyz", get(health::ready).with_state(server))
        .layer(middleware::from_fn_with_state(server_config, address::find))
        .layer(middleware::from_fn(guard::security_headers))
        .layer(CatchPanicLayer::custom(error::panicked)))
}

fn session_layer(server: &Server) -> SessionManagerLayer<PostgresSessions> {
    let days = server.config.server.session_days.get();
    SessionManagerLayer::new(PostgresSessions::new(server.lifecycle.db().clone()))
        .with_name("millrace")
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_secure(server.config.server.is_https())
        .with_expiry(Expiry::OnInactivity(time::Duration::days(days.into())))
}
