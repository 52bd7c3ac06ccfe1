//! `millrace run`: a runner.

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{connect, logging, stop_on_signal};
use crate::{
    config::Config,
    connection::Connection,
    http, metrics,
    runner::{Executor, Runner, unique_name},
};

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(&config.log)?;
    let shutdown = stop_on_signal()?;
    let lifecycle = connect::lifecycle(&config).await?;
    let config = Arc::new(config);
    let name = unique_name(&config.runner.name)?;
    let connection = Connection::new(&config, lifecycle.db().clone(), lifecycle.queue())?;
    let millrace = std::env::current_exe()?;
    let executor = Arc::new(Executor::new(Arc::clone(&config), connection, &name, &millrace).await?);
    let telling = match config.runner.metrics_listen {
        None => None,
        Some(listen) => {
            metrics::start()?;
            let router = http::runner_router(lifecycle.clone(), Arc::new(config.server.clone()));
            tell_metrics(listen, router).await
        }
    };
    Runner::new(name, lifecycle, config, executor).run(shutdown).await?;
    // To the last attempt.
    drop(telling);
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Jobs are worth more than numbers: where the address is taken, the runner runs without telling any.
async fn tell_metrics(listen: SocketAddr, router: Router) -> Option<AbortOnDropHandle<anyhow::Result<()>>> {
    match TcpListener::bind(listen).await {
        Ok(listener) => {
            let serving = http::serve_router(router, listener, CancellationToken::new());
            Some(AbortOnDropHandle::new(tokio::spawn(serving)))
        }
        Err(error) => {
            tracing::warn!(%listen, %error, "metrics are told nowhere; choose another address in `runner.metrics_listen`");
            None
        }
    }
}
