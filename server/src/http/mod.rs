//! The web side: pages, API and live streams.

mod address;
mod admission;
mod agents;
mod board_stream;
mod changes;
mod connect;
mod deliveries;
mod docs;
mod error;
mod guard;
mod health;
mod job_stream;
mod known_tokens;
mod lanes;
mod limit;
mod metrics;
mod oauth;
mod one_or_many;
mod openapi;
mod output;
mod pages;
mod readable;
mod rest;
mod router;
mod runners;
mod schedules;
pub mod session;
mod sessions;
mod site;
mod tokens;
mod webhooks;

pub use self::{known_tokens::KnownTokens, metrics::runner_router, router::router};

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::backend::Server;

/// How long requests that run may go on after a stop was asked for. Live streams never end by themselves and are cut.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// Answers requests until `stop`.
pub async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    serve_router(router(server)?, listener, stop).await
}

/// The same for any router.
pub async fn serve_router(
    router: Router,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let stopped = stop.clone();
    // A live line is small and must not wait until the one before it is acknowledged.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection will be slower than it could be");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = serving => served?,
        () = async {
            stopped.cancelled().await;
            tokio::time::sleep(LAST_REQUESTS).await;
        } => {}
    }
    Ok(())
}
