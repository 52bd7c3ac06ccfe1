//! The web side: pages, API and live streams.

mod board_stream;
mod error;
mod guard;
mod health;
mod job_stream;
mod pages;
mod rest;
mod router;
pub mod session;
mod site;

pub use router::router;

use std::{sync::Arc, time::Duration};

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
    let stopped = stop.clone();
    let serving = axum::serve(listener, router(server)?).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = serving => served?,
        () = async {
            stopped.cancelled().await;
            tokio::time::sleep(LAST_REQUESTS).await;
        } => {}
    }
    Ok(())
}
