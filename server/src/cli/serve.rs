//! `millrace serve`: the web side, the reconciler, and the work on what webhooks bring.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::{connect, logging, stop_on_signal};
use crate::{
    answers::Answers, backend::Server, config::Config, connection::Connection, http, lifecycle, metrics,
    webhooks::Webhooks,
};

pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(&config.log)?;
    let stop = stop_on_signal()?.stop;
    metrics::start()?;
    let lifecycle = connect::lifecycle(&config).await?;
    let retention = config.retention;
    let connection = Connection::new(&config, lifecycle.db().clone(), lifecycle.queue())?;
    let config = Arc::new(config);
    // Before it listens: whoever reaches it is answered.
    let router = http::router(Server::new(Arc::clone(&config), lifecycle.clone(), connection.clone()))?;
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("{listen} cannot be listened on; choose another address with --listen"))?;
    let reconciling =
        tokio::spawn(lifecycle::reconcile(lifecycle.clone(), Arc::clone(&config), stop.clone()));
    let retaining = tokio::spawn(lifecycle::retain(lifecycle.clone(), retention, stop.clone()));
    let answers = Answers::new(connection.clone(), lifecycle.clone(), Arc::clone(&config));
    let answering = tokio::spawn(answers.run(stop.clone()));
    let webhooks = Webhooks::new(Arc::clone(&config), lifecycle, connection);
    let working = tokio::spawn(webhooks.run(stop.clone()));
    tracing::info!(address = config.server.public_address(), "ready");
    http::serve_router(router, listener, stop).await?;
    reconciling.await?;
    retaining.await?;
    answering.await?;
    working.await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
