//! Jobs a second through HTTP, Postgres, Redis and a runner, with attempts that do nothing.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{
    installation::{Installation, SLOTS},
    noop::NoopRunner,
    report::{Report, Target},
};

/// Enough for a second or more.
const WAITING: usize = 20_000;
const ONE_BY_ONE: usize = 5_000;
const FOR_ONE_SLOT: usize = 2_000;
/// Clients that ask for jobs at once: one by one, and in lists.
const CLIENTS: usize = 16;
const LISTING_CLIENTS: usize = 2;
const LIST: usize = 100;

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let begin = Instant::now();
    submit_one_by_one(installation, ONE_BY_ONE).await?;
    let speed = ONE_BY_ONE as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", format!("accepted one by one, {CLIENTS} clients"), speed, "jobs/s", Target::Open);
    drain(installation, ONE_BY_ONE, SLOTS).await?;

    let begin = Instant::now();
    submit_in_lists(installation, WAITING).await?;
    let speed = WAITING as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", format!("accepted in lists of {LIST}"), speed, "jobs/s", Target::Open);
    let speed = drain(installation, WAITING, SLOTS).await?;
    let target = Target::Above(16_000.0);
    report.add("jobs", format!("{WAITING} waiting, drained with {SLOTS} slots"), speed, "jobs/s", target);

    submit_in_lists(installation, FOR_ONE_SLOT).await?;
    let speed = drain(installation, FOR_ONE_SLOT, 1).await?;
    report.add("jobs", "drained with 1 slot", speed, "jobs/s", Target::Open);

    let begin = Instant::now();
    let submitting = submit_one_by_one(installation, ONE_BY_ONE);
    let (submitted, drained) = tokio::join!(submitting, drain(installation, ONE_BY_ONE, SLOTS));
    submitted?;
    drained?;
    let speed = ONE_BY_ONE as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", "end to end, one by one", speed, "jobs/s", Target::Open);

    let begin = Instant::now();
    let submitting = submit_in_lists(installation, WAITING);
    let (submitted, drained) = tokio::join!(submitting, drain(installation, WAITING, SLOTS));
    submitted?;
    drained?;
    let speed = WAITING as f64 / begin.elapsed().as_secs_f64();
    report.add("jobs", "end to end, in lists", speed, "jobs/s", Target::Above(6_000.0));
    Ok(())
}

async fn submit_one_by_one(installation: &Installation, jobs: usize) -> anyhow::Result<()> {
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
    submitting.join_all().await.into_iter().collect()
}

async fn submit_in_lists(installation: &Installation, jobs: usize) -> anyhow::Result<()> {
    let mut submitting = tokio::task::JoinSet::new();
    for _ in 0..LISTING_CLIENTS {
        let mut client = installation.client().await?;
        submitting.spawn(async move {
            for _ in 0..jobs / LIST / LISTING_CLIENTS {
                client.submit_list("https://localhost/bench.git", "true", LIST).await?;
            }
            anyhow::Ok(())
        });
    }
    submitting.join_all().await.into_iter().collect()
}

/// Executes so many jobs and returns how many a second.
pub async fn drain(installation: &Installation, jobs: usize, slots: u32) -> anyhow::Result<f64> {
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
