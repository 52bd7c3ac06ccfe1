//! Every test, in stages; the first that fails is the last.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use millrace_stack::Scratch;

use crate::command::{self, NATIVE, PRODUCT, cargo};
use crate::progress::{Step, seconds};
use crate::setup::{
    self, Purpose,
    agents::{self, Set},
    browser, node,
};
use crate::tally::Tally;
use crate::{guards, launch, lint, queries, site, workspace};

/// What can be run by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Format, clippy and the guards
    Lint,
    /// The Rust tests
    Rust,
    /// A real agent in the sandbox, against a model server of our own
    Codex,
    /// Some seconds of faults, always the same ones
    Chaos,
    /// All real agents, in the sandbox and outside of it
    Agents,
    /// The journeys in a browser
    Browser,
}

/// What needs nothing from the network once it is set up.
pub(crate) const USUAL: [Part; 5] = [Part::Lint, Part::Rust, Part::Codex, Part::Chaos, Part::Browser];

/// Parts that count tests; they need Postgres and Redis.
const COUNTED: [Part; 4] = [Part::Rust, Part::Codex, Part::Browser, Part::Agents];

/// Runs some parts. The last line of a full run is the number of tests.
pub(crate) fn run(parts: &[Part]) -> Result<()> {
    let wants = |part: Part| parts.contains(&part);
    let mut stages = Stages::default();
    let outcome = (|| -> Result<Tally> {
        let purpose = if wants(Part::Browser) {
            Purpose::Journeys
        } else if wants(Part::Rust) {
            Purpose::Test
        } else {
            Purpose::Build
        };
        stages.run("Set-up", || setup::run(purpose))?;
        if wants(Part::Lint) {
            stages.run("Format", lint::format)?;
        }
        // The server embeds the site, so nothing of the server compiles before it.
        let weight = stages.run("Site", site::build)?;
        if wants(Part::Lint) {
            stages.run("Lint, server", lint::server)?;
            stages.run("Lint, browser", lint::browser)?;
            stages.run("Guard: no server code in the browser", guards::browser_dependencies)?;
            stages.run("Guard: weight of the pages", || {
                weight.print();
                weight.check()
            })?;
            stages.run("Guard: .sqlx is current", queries::check)?;
        }
        let mut tally = Tally::default();
        if COUNTED.into_iter().any(wants) {
            let scratch = stages.run("Postgres and Redis", || Ok(Scratch::start()?))?;
            if wants(Part::Rust) {
                stages.run("Rust tests", || rust_tests(&scratch, &mut tally))?;
            }
            if wants(Part::Codex) && !wants(Part::Agents) {
                stages.run("A real agent", || real_agents(&[Set::Codex], &scratch, &mut tally))?;
            }
            if wants(Part::Agents) {
                let all = [Set::Codex, Set::Others, Set::Aider];
                stages.run("Real agents", || real_agents(&all, &scratch, &mut tally))?;
            }
            if wants(Part::Browser) {
                stages.run("Browser journeys", || browser_journeys(&scratch, &mut tally))?;
            }
        }
        if wants(Part::Chaos) {
            stages.run("Faults", faults)?;
        }
        Ok(tally)
    })();
    stages.print();
    let tally = outcome?;
    if COUNTED.into_iter().any(wants) {
        println!("{tally}");
    }
    Ok(())
}

fn rust_tests(scratch: &Scratch, tally: &mut Tally) -> Result<()> {
    for packages in NATIVE {
        let mut tests = cargo();
        tests.arg("test").args(packages).arg("--no-fail-fast");
        name_servers(&mut tests, scratch);
        count(&mut tests, tally)?;
    }
    Ok(())
}

/// Those tests that are ignored elsewhere, because they need the real programs.
fn real_agents(sets: &[Set], scratch: &Scratch, tally: &mut Tally) -> Result<()> {
    let programs = sets.iter().map(|set| agents::install(*set)).collect::<Result<Vec<_>>>()?;
    let usual = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(programs.into_iter().chain(env::split_paths(&usual)))?;
    let filters: &[&[&str]] = match sets {
        [Set::Codex] => &[&["--test=it", "--", "real_agents::codex"]],
        _ => &[&["--test=agents", "--"], &["--test=it", "--", "real_agents::"]],
    };
    for filter in filters {
        let mut tests = cargo();
        // With the features of the other tests: nothing is compiled twice.
        tests.arg("test").args(PRODUCT).arg("--no-fail-fast").args(*filter);
        tests.args(["--ignored", "--test-threads=2"]).env("PATH", &path).envs(CREDENTIALS);
        name_servers(&mut tests, scratch);
        count(&mut tests, tally)?;
    }
    Ok(())
}

/// The model server takes any. Of Claude's ways to sign in this is the one that is told when a quota is filled again.
const CREDENTIALS: [(&str, &str); 3] = [
    ("CLAUDE_CODE_OAUTH_TOKEN", "fake-claude-token"),
    ("OPENAI_API_KEY", "fake-openai-key"),
    ("GEMINI_API_KEY", "fake-gemini-key"),
];

/// Runs tests of Rust and counts them.
fn count(tests: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut counted = Tally::default();
    let status = command::follow(tests, |stream, line| {
        counted.add_line(line);
        command::pass_through(stream, line);
    })?;
    tally.add(counted);
    finish(counted, command::succeeded(tests, status))
}

/// Long enough for a dozen faults and for every lease to run out once.
const FAULTS: [&str; 4] = ["--seed", "1", "--seconds", "20"];

/// The same faults each time, so that what fails here fails again for whoever looks into it.
fn faults() -> Result<()> {
    let millrace = debug_build()?;
    command::show(launch::chaos_of(&millrace).args(FAULTS))
}

/// The programs, with the features that the Rust tests were built with: nothing is compiled twice.
fn debug_build() -> Result<PathBuf> {
    let step = Step::begin("Compile Millrace");
    step.run(cargo().arg("build").args(PRODUCT).args(["--bins", "--test", "it"]))?;
    step.done();
    Ok(workspace::target_directory()?.join("debug/millrace"))
}

fn browser_journeys(scratch: &Scratch, tally: &mut Tally) -> Result<()> {
    let directory = workspace::root().join("end2end");
    node::install_locked(&directory)?;
    let millrace = debug_build()?;

    let report = directory.join("results/report.json");
    match fs::remove_file(&report) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let chromium = browser::find().context("there is no Chromium")?;
    let mut playwright = node::command("playwright", &directory)?;
    playwright.arg("test").env("CHROMIUM", chromium).env("MILLRACE_BIN", millrace);
    name_servers(&mut playwright, scratch);
    let status = command::follow(&mut playwright, command::pass_through)?;
    let mut journeys = Tally::default();
    if let Ok(report) = fs::read_to_string(&report) {
        journeys.add_playwright(&report)?;
    }
    tally.add(journeys);
    finish(journeys, command::succeeded(&playwright, status))
}

/// The test harness takes these rather than starting its own.
fn name_servers(command: &mut Command, scratch: &Scratch) {
    command
        .env("MILLRACE_TEST_DATABASE_URL", scratch.postgres.url())
        .env("MILLRACE_TEST_REDIS_URL", scratch.redis.url());
}

/// A program that fails has failed, whatever it counted.
fn finish(tally: Tally, outcome: Result<()>) -> Result<()> {
    match outcome {
        Ok(()) if tally.passed == 0 => bail!("no test ran"),
        Err(_) if tally.failed > 0 => bail!("{tally}"),
        outcome => outcome,
    }
}

/// What was done and how long it took.
#[derive(Default)]
struct Stages {
    done: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn run<T>(&mut self, name: &'static str, stage: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("── {name}");
        let begin = Instant::now();
        let outcome = stage().with_context(|| format!("{name} failed"));
        self.done.push((name, begin.elapsed()));
        outcome
    }

    fn print(&self) {
        let width = self.done.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        println!();
        for (name, duration) in &self.done {
            println!("{name:width$}  {:>9}", seconds(*duration));
        }
        println!();
    }
}
