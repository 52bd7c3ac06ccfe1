//! What an attempt of an agent costs around the agent: a checkout from a warm mirror, the sandbox, the branch.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use app::model::{AgentOutcome, NewJob};
use millrace::{db, lifecycle::Lifecycle};

use crate::{
    histogram::Histogram,
    installation::Installation,
    process,
    report::{Report, Target},
};

/// Millrace's own source: a real repository, and always at hand.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const ATTEMPTS: u32 = 20;
const LARGE_ATTEMPTS: u32 = 3;
const LARGE_FILES: u64 = 1_000;
const LARGE_FILE_BYTES: usize = 1_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    let lifecycle = installation.lifecycle(&*installation.config(1)?).await?;
    let runner = installation.start_runner()?;
    let directory = tempfile::tempdir()?;

    let small = directory.path().join("small.git");
    git(Path::new(SOURCE), &["clone", "--quiet", "--bare", ".", &small.display().to_string()])?;
    overhead("small repository", &small, ATTEMPTS, Target::Below(250.0), &installation, &lifecycle, report)
        .await?;

    let large = directory.path().join("large");
    make_large(&large)?;
    overhead("1 GB repository", &large, LARGE_ATTEMPTS, Target::Open, &installation, &lifecycle, report)
        .await?;
    runner.end().await
}

/// The demo agent is the child: it reads every file and writes one. What it needs by itself is taken off.
async fn overhead(
    name: &str,
    repository: &Path,
    attempts: u32,
    target: Target,
    installation: &Installation,
    lifecycle: &Lifecycle,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut client = installation.client().await?;
    let new = NewJob {
        kind: "agent".to_owned(),
        agent: Some("demo".to_owned()),
        repository: repository.display().to_string(),
        prompt: Some("Say what is in here.".to_owned()),
        ..NewJob::default()
    };
    // Makes the mirror.
    attempt(&mut client, lifecycle, &new).await?;
    let mut whole = Histogram::default();
    for _ in 0..attempts {
        whole.add(attempt(&mut client, lifecycle, &new).await?);
    }
    let mut alone = Histogram::default();
    for _ in 0..attempts {
        alone.add(agent_alone(repository)?);
    }
    let around = whole.percentile(50) - alone.percentile(50);
    report.add("attempt", format!("{name}, around the agent, p50"), around, "ms", target);
    report.add("attempt", format!("{name}, with the agent, p50"), whole.percentile(50), "ms", Target::Open);
    report.add("attempt", format!("{name}, with the agent, p95"), whole.percentile(95), "ms", Target::Open);
    Ok(())
}

/// Asks for a job and returns how long its attempt took by the database's clock.
async fn attempt(
    client: &mut crate::client::Client,
    lifecycle: &Lifecycle,
    new: &NewJob,
) -> anyhow::Result<Duration> {
    let id = client.ask(new).await?;
    loop {
        let attempts = db::attempts::of_job(lifecycle.db(), id).await?;
        if let Some(attempt) = attempts.last()
            && let Some(finished_at) = attempt.finished_at
        {
            let outcome = attempt.agent.as_ref().and_then(|agent| agent.outcome);
            ensure!(outcome == Some(AgentOutcome::Changed), "the attempt failed: {:?}", attempt.error);
            return Ok(Duration::from_millis(u64::try_from(finished_at.0 - attempt.started_at.0)?));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How long the demo agent takes by itself, in a checkout that is there already.
fn agent_alone(repository: &Path) -> anyhow::Result<Duration> {
    let directory = tempfile::tempdir()?;
    let checkout = directory.path().join("checkout");
    git(repository, &["clone", "--quiet", "--shared", ".", &checkout.display().to_string()])?;
    let begin = Instant::now();
    let mut child = Command::new(process::MILLRACE)
        .arg("demo-agent")
        .current_dir(&checkout)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    child.stdin.take().context("no standard input")?.write_all(b"Say what is in here.")?;
    ensure!(child.wait()?.success(), "the demo agent failed");
    Ok(begin.elapsed())
}

/// A repository with a gigabyte that does not get smaller by packing.
fn make_large(path: &PathBuf) -> anyhow::Result<()> {
    fs::create_dir_all(path)?;
    let mut bytes = vec![0; LARGE_FILE_BYTES];
    for number in 0..LARGE_FILES {
        let directory = path.join(format!("part-{}", number / 100));
        fs::create_dir_all(&directory)?;
        getrandom::fill(&mut bytes)?;
        fs::write(directory.join(format!("{number}.bin")), &bytes)?;
    }
    git(path, &["init", "--quiet", "--initial-branch=main"])?;
    git(path, &["add", "."])?;
    git(
        path,
        &[
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@localhost",
            "commit",
            "--quiet",
            "--message=First",
        ],
    )
}

fn git(directory: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("git").args(arguments).current_dir(directory).status()?;
    ensure!(status.success(), "git {} failed", arguments.join(" "));
    Ok(())
}
