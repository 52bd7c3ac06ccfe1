//! Breaks everything around Millrace while it works, and proves that no accepted job is lost: `cargo xtask chaos`.
//!
//! Everything is the real thing: two servers and two runners as processes, and a Postgres and a Redis of their own. What
//! the jobs did is told by the jobs themselves, in files that Millrace knows nothing of.

#![allow(clippy::print_stdout, reason = "its only interface is the terminal")]

mod act;
mod audit;
mod client;
mod faults;
mod installation;
mod ledger;
mod load;
mod marks;
mod output;
mod part;
mod plan;
mod report;
mod stack;
mod viewer;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use tokio::time::Instant;

use crate::{
    installation::Installation,
    ledger::Ledger,
    report::{Check, Report},
};

#[derive(Parser)]
#[command(
    bin_name = "cargo xtask chaos",
    about = "Breaks everything around Millrace and counts what is lost"
)]
struct Arguments {
    /// Draws the jobs and the faults; another one each time when it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// How long things are broken; what comes after, until everything has run dry, is not counted
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The program to break
    #[arg(long, value_name = "FILE", hide = true)]
    millrace: PathBuf,
}

fn main() -> ExitCode {
    if let Some(code) = act::main() {
        return code;
    }
    // reqwest asks for it although nothing here is encrypted. Whoever was first decides, and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match ended {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    eprintln!("Seed {seed}: starting two servers and two runners …");
    let installation = Arc::new(Installation::start(&arguments.millrace).await?);
    let keeping = tokio::spawn(Arc::clone(&installation).keep_parts());
    let ledger = Arc::new(Ledger::default());
    let observing = tokio::spawn(ledger::observe(Arc::clone(&ledger), installation.client.clone()));

    let deadline = Instant::now() + Duration::from_secs(arguments.seconds);
    eprintln!("Breaking things for {} s …", arguments.seconds);
    let loading =
        tokio::spawn(load::submit_until(deadline, seed, Arc::clone(&installation), Arc::clone(&ledger)));
    let faults = faults::inject_until(deadline, seed, Arc::clone(&installation)).await?;
    let load = loading.await??;

    eprintln!("Letting {} jobs run dry …", ledger.unsettled().len());
    installation.run_dry(&ledger).await?;
    observing.abort();
    let (watched, waiting) = load.watched().await?;
    eprintln!("Comparing …");
    let mut report = Report::new(seed, faults);
    if waiting > 0 {
        report.add(Check::Stuck, format!("{waiting} viewers were not told that their job has ended"));
    }
    audit::audit(&installation, &ledger, &watched, &mut report).await?;
    keeping.abort();
    report.print();
    if !report.is_clean() {
        println!("The logs and what the jobs wrote are in {}", installation.keep_directory().display());
    }
    Ok(report)
}
