//! `millrace run`: a runner.

use std::{process::ExitCode, sync::Arc};

use super::{connect, logging, stop_on_signal};
use crate::{
    config::Config,
    runner::{CommandExecutor, Runner, unique_name},
};

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    logging::start(&config.log)?;
    let shutdown = stop_on_signal()?;
    let lifecycle = connect::lifecycle(&config).await?;
    let config = Arc::new(config);
    let name = unique_name(&config.runner.name)?;
    let executor = Arc::new(CommandExecutor::new(Arc::clone(&config), &name)?);
    Runner::new(name, lifecycle, config, executor).run(shutdown).await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
