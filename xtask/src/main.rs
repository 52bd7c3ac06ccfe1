//! Set-up, build, test and bench: `cargo xtask …`.

#![allow(clippy::print_stdout, reason = "its only interface is the terminal")]

mod command;
mod guards;
mod interrupt;
mod launch;
mod lint;
mod progress;
mod queries;
mod setup;
mod site;
mod tally;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::setup::Purpose;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Sets up, builds, tests and measures Millrace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the programs that building and testing need
    Setup,
    /// Build what the browser downloads into target/site
    Site,
    /// Build the release binary with the site in it
    Build,
    /// Build, then start Millrace with its own Postgres and Redis
    Up {
        /// Start a GitHub to play with too; all of it is gone afterwards
        #[arg(long)]
        fake_github: bool,
        /// Passed on to `millrace up`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Renew .sqlx, the answers of the database to the compile-time checked queries
    Prepare {
        /// Change nothing; fail if .sqlx is not current
        #[arg(long)]
        check: bool,
    },
    /// Format, clippy and the guards
    Lint,
    /// Every test: lint, Rust against a real Postgres and Redis, faults, journeys in a browser
    Test {
        /// Only one part of it
        part: Option<test::Part>,
        /// The real agents too, which are fetched from npm and PyPI
        #[arg(long, conflicts_with = "part")]
        agents: bool,
    },
    /// Measure the release binary
    Bench {
        /// Passed on to the bench
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kill, stop, empty and cut off everything while jobs run, and count what is lost
    Chaos {
        /// `--seed N --seconds S`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = interrupt::pass_on_signals().and_then(|()| run(arguments.task));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup => setup::run(Purpose::Journeys),
        Task::Site => {
            setup::run(Purpose::Build)?;
            site::build()?.print();
            Ok(())
        }
        Task::Build => launch::build().map(drop),
        Task::Up { fake_github: false, arguments } => launch::up(arguments),
        Task::Up { fake_github: true, arguments } => launch::up_with_fake_github(&arguments),
        Task::Prepare { check: true } => queries::check(),
        Task::Prepare { check: false } => queries::renew(),
        Task::Lint => test::run(&[test::Part::Lint]),
        Task::Test { part: Some(part), .. } => test::run(&[part]),
        Task::Test { part: None, agents: false } => test::run(&test::USUAL),
        Task::Test { part: None, agents: true } => test::run(test::Part::value_variants()),
        Task::Bench { arguments } => launch::bench(&arguments),
        Task::Chaos { arguments } => launch::chaos(&arguments),
    }
}
