//! How long a job waits while its runner has nothing else to do.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{
    child::{Script, monotonic, time_in},
    histogram::Histogram,
    installation::Installation,
    noop::NoopRunner,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

/// Jobs that do nothing.
const JOBS: u32 = 600;
/// Jobs that check a repository out.
const REAL_JOBS: u32 = 100;
/// Long enough that the job before is over.
const PAUSE: Duration = Duration::from_millis(20);

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    without_work(installation, report).await?;
    with_checkout(installation, report).await
}

async fn without_work(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let mut runner = NoopRunner::start(installation, 1).await?;
    let mut client = installation.client().await?;
    let (mut from_request, mut from_answer) = (Histogram::default(), Histogram::default());
    for _ in 0..JOBS {
        let asked = Instant::now();
        let job = client.submit("https://localhost/bench.git", "true").await?;
        let accepted = Instant::now();
        let (started_job, started) = runner.started.recv().await.context("the runner has ended")?;
        anyhow::ensure!(started_job == job, "another job was started");
        from_request.add(started - asked);
        // A job may start before the answer has arrived.
        from_answer.add(started.saturating_duration_since(accepted));
        tokio::time::sleep(PAUSE).await;
    }
    runner.stop().await?;
    report.add("claim", "request → started, p50", from_request.percentile(50), "ms", Target::Below(3.0));
    report.add("claim", "request → started, p95", from_request.percentile(95), "ms", Target::Below(10.0));
    report.add("claim", "201 → started, p50", from_answer.percentile(50), "ms", Target::Open);
    report.add("claim", "201 → started, p95", from_answer.percentile(95), "ms", Target::Open);
    Ok(())
}

async fn with_checkout(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let runner = installation.start_runner()?;
    let mut client = installation.client().await?;
    let mut until_child = Histogram::default();
    for _ in 0..REAL_JOBS {
        let asked = monotonic();
        let job = client.submit_script(installation, &Script::Time).await?;
        let mut printed = None;
        let viewer = Viewer::open(installation, job, 0, Events::Batch).await?;
        viewer.watch(|line, _| printed = printed.or(time_in(line))).await?;
        until_child.add(printed.context("the job printed nothing")?.saturating_sub(asked));
    }
    runner.end().await?;
    report.add("claim", "with checkout, p50", until_child.percentile(50), "ms", Target::Open);
    report.add("claim", "with checkout, p95", until_child.percentile(95), "ms", Target::Open);
    Ok(())
}
