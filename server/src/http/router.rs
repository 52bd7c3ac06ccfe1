//! Every route.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodFilter, get, on, post},
};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    trace::TraceLayer,
};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

use super::{
    address, agents, board_stream, changes, connect, deliveries, error, guard, health, job_stream, lanes,
    limit::{self, Limits},
    metrics, oauth, openapi, output,
    pages::Pages,
    readable, rest, runners, schedules, session, sessions,
    site::Site,
    tokens, webhooks,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{backend::Server, db::sessions::PostgresSessions};

/// The whole web side.
pub fn router(server: Arc<Server>) -> anyhow::Result<Router> {
    let site = Site::load()?;
    let pages = Pages::new(Arc::clone(&server), site.assets().clone());

    let limits = Limits::new(&server.config.limits);

    // Where somebody says who they are.
    let sign_in = Router::new()
        .route("/session", post(session::sign_in))
        .route("/auth/github", get(oauth::begin))
        .route("/auth/github/callback", get(oauth::finish))
        .method_not_allowed_fallback(rest::wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&limits), limit::failures))
        .with_state(Arc::clone(&server));

    // Where GitHub does, by a signature over a body that may be larger than others.
    let webhooks = Router::new()
        .route("/webhooks/github", post(webhooks::github))
        .method_not_allowed_fallback(rest::wrong_method)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(webhooks::MOST_BYTES))
        .layer(Extension(Arc::clone(&limits)))
        .layer(middleware::from_fn(metrics::measure))
        .layer(TraceLayer::new_for_http())
        .with_state(Arc::clone(&server));

    // Where GitHub sends an owner's browser back to.
    let connecting = Router::new()
        .route("/settings/github/created", get(connect::created))
        .route("/settings/github/installed", get(connect::installed))
        .method_not_allowed_fallback(rest::wrong_method)
        .with_state(Arc::clone(&server));

    // With their descriptions, which become one document.
    let (api, mut document) = OpenApiRouter::with_openapi(openapi::Base::openapi())
        .routes(routes!(rest::list_jobs, rest::create_job))
        .routes(routes!(rest::get_job, rest::delete_job))
        .routes(routes!(rest::cancel_job))
        .routes(routes!(rest::retry_job))
        .routes(routes!(rest::list_attempts))
        .routes(routes!(output::get_output))
        .routes(routes!(output::get_output_text))
        .routes(routes!(agents::list))
        .routes(routes!(output::search_output))
        .routes(routes!(agents::resume))
        .routes(routes!(changes::get_changes))
        .routes(routes!(changes::get_patch))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::get_delivery))
        .routes(routes!(deliveries::replay_delivery))
        .routes(routes!(lanes::list))
        .routes(routes!(lanes::pause))
        .routes(routes!(lanes::resume))
        .routes(routes!(lanes::clean))
        .routes(routes!(runners::list_runners))
        .routes(routes!(runners::drain_runner))
        .routes(routes!(runners::undrain_runner))
        .routes(routes!(schedules::list_schedules, schedules::create_schedule))
        .routes(routes!(schedules::delete_schedule))
        .routes(routes!(sessions::list_sessions, sessions::end_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .split_for_parts();
    let api = api
        .route("/api/{*path}", get(rest::no_such_route).fallback(rest::no_such_route))
        .method_not_allowed_fallback(rest::wrong_method)
        .with_state(Arc::clone(&server));

    // Apart from the rest, because each layer around a body costs a live line some time, and none of them is for streams.
    let (streams, described) = OpenApiRouter::new()
        .routes(routes!(board_stream::board_stream))
        .routes(routes!(job_stream::job_stream))
        .split_for_parts();
    document.merge(described);
    let streams = streams
        .method_not_allowed_fallback(rest::wrong_method)
        .layer(middleware::from_fn(guard::same_origin))
        .layer(session_layer(&server))
        .with_state(Arc::clone(&server));

    // For whoever looks after the server: without a session, and never refused for being many.
    let (operation, described) = OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .with_state(Arc::clone(&server))
        .merge(OpenApiRouter::new().routes(routes!(metrics::of_server)).with_state(server.lifecycle.clone()))
        .split_for_parts();
    document.merge(described);

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
        .merge(connecting)
        .merge(api)
        .merge(openapi::routes(document)?)
        .merge(functions)
        .merge(pages)
        .layer(middleware::from_fn(guard::same_origin))
        .layer(session_layer(&server))
        // Instead of axum's own limit, which is lower and only holds for its extractors.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(max_body_bytes, guard::body_fits))
        .layer(middleware::from_fn_with_state(limits, limit::requests))
        .layer(middleware::from_fn(readable::for_people))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(metrics::measure))
        .layer(TraceLayer::new_for_http())
        .merge(streams)
        .merge(webhooks)
        .merge(site.routes())
        .merge(operation)
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
