//! Measures what Millrace promises: `cargo xtask bench [SECTION…] [--json FILE]`.
//!
//! Everything is the real thing: the release binary as server and runner, and Postgres and Redis as durable as `millrace
//! up` runs them. Only the no-op executor is the bench's own. All of it talks over loopback and unix sockets.

#![allow(clippy::print_stdout, reason = "its only interface is the terminal")]

mod attempt;
mod backlog;
mod child;
mod claim;
mod client;
mod github;
mod histogram;
mod installation;
mod jobs;
mod lines;
mod memory;
mod noop;
mod page;
mod process;
mod replay;
mod report;
mod viewer;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};

use crate::{installation::Installation, report::Report};

#[derive(Parser)]
#[command(bin_name = "cargo xtask bench", about = "Measures Millrace on this machine")]
struct Arguments {
    /// What to measure; everything when none is named
    sections: Vec<Section>,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What `cargo bench` passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// From the request for a job to its start
    Claim,
    /// From a child's write to every viewer
    Lines,
    /// The output of a finished job from its first line on
    Replay,
    /// Jobs a second through the whole path
    Jobs,
    /// What a million queued jobs cost
    Backlog,
    /// What an agent's attempt costs around the agent
    Attempt,
    /// Deliveries of webhooks, and from a mention to its agent's start
    #[value(name = "github")]
    GitHub,
    /// Resident memory at rest and while a gigabyte goes through
    Memory,
    /// What the first page weighs
    Page,
}

fn main() -> ExitCode {
    if let Some(code) = child::main() {
        return code;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(async {
        let installation = Installation::start().await?;
        for section in Section::value_variants() {
            if arguments.sections.is_empty() || arguments.sections.contains(section) {
                eprintln!("Measuring {section:?} …");
                measure(*section, &installation, &mut report).await?;
            }
        }
        anyhow::Ok(())
    });
    // What was measured before something failed is still worth a look.
    report.print();
    if let Some(file) = &arguments.json {
        std::fs::write(file, report.json()?)?;
    }
    measured
}

async fn measure(section: Section, installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    match section {
        Section::Claim => claim::measure(installation, report).await,
        Section::Lines => lines::measure(installation, report).await,
        Section::Replay => replay::measure(installation, report).await,
        Section::Jobs => jobs::measure(installation, report).await,
        Section::Backlog => backlog::measure(report).await,
        Section::Attempt => attempt::measure(report).await,
        Section::GitHub => github::measure(report).await,
        Section::Memory => memory::measure(report).await,
        Section::Page => page::measure(report),
    }
}
