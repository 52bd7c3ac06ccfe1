//! `GET /metrics`: for whoever asks on the same machine, and for owners.

use std::{sync::Arc, time::Instant};

use app::model::{ApiError, Role};
use axum::{
    Extension, Router,
    extract::{MatchedPath, Request, State},
    http::{header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    KnownTokens,
    address::{self, ClientAddress},
    error::Problem,
    openapi::Refused,
    session,
};
use crate::{config::ServerConfig, lifecycle::Lifecycle, metrics};

/// Figures for Prometheus, for owners and for whoever asks on the same machine.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    operation_id = "metrics",
    responses(
        (
            status = 200,
            description = "The text format of Prometheus",
            body = String,
            content_type = "text/plain"
        ),
        Refused
    )
)]
pub(super) async fn of_server(
    State(lifecycle): State<Lifecycle>,
    Extension(address): Extension<ClientAddress>,
    request: Parts,
) -> Result<Response, Problem> {
    check(&lifecycle, address, &request).await?;
    if metrics::look_at_connections(&lifecycle).await
        && let Err(error) = metrics::look_at_jobs(&lifecycle).await
    {
        tracing::debug!(%error, "jobs cannot be counted now");
    }
    Ok(text())
}

/// What a runner tells, on an address of its own.
async fn of_runner(
    State(lifecycle): State<Lifecycle>,
    Extension(address): Extension<ClientAddress>,
    request: Parts,
) -> Result<Response, Problem> {
    check(&lifecycle, address, &request).await?;
    metrics::look_at_connections(&lifecycle).await;
    Ok(text())
}

/// The whole web side of a runner.
pub fn runner_router(lifecycle: Lifecycle, config: Arc<ServerConfig>) -> Router {
    Router::new()
        .route("/metrics", get(of_runner))
        .layer(middleware::from_fn_with_state(config, address::find))
        .with_state(lifecycle)
}

async fn check(lifecycle: &Lifecycle, address: ClientAddress, request: &Parts) -> Result<(), ApiError> {
    if address.is_local {
        return Ok(());
    }
    match session::authenticate(lifecycle.db(), &KnownTokens::default(), request).await?.role {
        Role::Owner => Ok(()),
        Role::Member => Err(ApiError::Forbidden("Only owners may read the metrics.".to_owned())),
    }
}

fn text() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render()).into_response()
}

/// Notes how long requests take. All pages are one route, because their addresses are many.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("page", MatchedPath::as_str);
    metrics::request(method.as_str(), route, response.status().as_u16(), began.elapsed());
    response
}
