//! `millrace serve`: the web side and the reconciler.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::{connect, logging, stop_on_signal};
use crate::{backend::Server, config::Config, http, lifecycle};

pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(&config.log)?;
    let stop = stop_on_signal()?;
    let lifecycle = connect::lifecycle(&config).await?;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("{listen} cannot be listened on; choose another address with --listen"))?;
    let reconciling =
        tokio::spawn(lifecycle::reconcile(lifecycle.clone(), config.output.clone(), stop.clone()));
    tracing::info!(address = config.server.public_address(), "ready");
    http::serve(Server::new(Arc::new(config), lifecycle), listener, stop).await?;
    reconciling.await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
