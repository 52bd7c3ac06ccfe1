//! Jobs a second through HTTP, Postgres, Redis and a runner, with attempts that do nothing.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{
    installation::{Installation, SLOTS},
    noop::NoopRunner,
    report::{Report, Target},
};

/// Enough for some seconds.
const JOBS: usize = 5_000;
const JOBS_FOR_ONE_SLOT: usize = 1_000;

/// Clients that ask for jobs at once.
const CLIENTS: usize = 16;

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let begin = Instant::now();
    submit(installation, JOBS).await?;
    let speed = JOBS as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", format!("accepted, {CLIENTS} clients"), speed, "jobs/s", Target::Open);
    let speed = drain(installation, JOBS, SLOTS).await?;
    report.add("jobs", format!("drained with {SLOTS} slots"), speed, "jobs/s", Target::Open);

    submit(installation, JOBS_FOR_ONE_SLOT).await?;
    let speed = drain(installation, JOBS_FOR_ONE_SLOT, 1).await?;
    report.add("jobs", "drained with 1 slot", speed, "jobs/s", Target::Open);

    let begin = Instant::now();
    let (submitted, drained) = tokio::join!(submit(installation, JOBS), drain(installation, JOBS, SLOTS));
    submitted?;
    drained?;
    let speed = JOBS as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", "end to end while submitting", speed, "jobs/s", Target::Open);
    Ok(())
}

async fn submit(installation: &Installation, jobs: usize) -> anyhow::Result<()> {
    let mut submitting = tokio::task::JoinSet::new();
    for index in 0..CLIENTS {
        let mut client = installation.client().await?;
        let share = jobs / CLIENTS + usize::from(index < jobs % CLIENTS);
        submitting.spawn(async move {
            for _ in 0..share {
                client.submit("https://localhost/bench.git", "true").await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(submitted) = submitting.join_next().await {
        submitted??;
    }
    Ok(())
}

/// Executes so many jobs and returns how many a second.
async fn drain(installation: &Installation, jobs: usize, slots: u32) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let mut runner = NoopRunner::start(installation, slots).await?;
    for _ in 0..jobs {
        runner.started.recv().await.context("the runner has ended")?;
    }
    while runner.unfinished().await? > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let speed = jobs as f64 / begin.elapsed().as_secs_f64();
    runner.stop().await?;
    Ok(speed)
}
