//! How long a job waits while its runner has nothing else to do.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use app::model::{NewJob, Role, Trigger};
use millrace::{
    db::people,
    lifecycle::{JobRequest, RequestRules, Submitted},
};

use crate::{
    child::{Script, monotonic, time_in},
    histogram::Histogram,
    installation::{Installation, SLOTS},
    noop::NoopRunner,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

/// Jobs that do nothing.
const JOBS: u32 = 600;
/// Jobs that keep coming.
const LOADED_JOBS: u32 = 1_000;
const PER_SECOND: u64 = 50;
/// Jobs that check a repository out.
const REAL_JOBS: u32 = 100;
/// Long enough that the job before is over.
const PAUSE: Duration = Duration::from_millis(20);

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    without_work(installation, report).await?;
    under_load(installation, report).await?;
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
    report.add("claim", "accepted → started, p50", from_answer.percentile(50), "ms", Target::Below(3.0));
    report.add("claim", "accepted → started, p95", from_answer.percentile(95), "ms", Target::Below(10.0));
    report.add("claim", "asked → started, p50", from_request.percentile(50), "ms", Target::Open);
    report.add("claim", "asked → started, p95", from_request.percentile(95), "ms", Target::Open);
    Ok(())
}

/// As a program sees it that has Millrace as its library: nothing else stands between the request and the queue.
async fn under_load(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let mut runner = NoopRunner::start(installation, SLOTS).await?;
    let config = installation.config(1)?;
    let lifecycle = installation.lifecycle(&config).await?;
    let person = people::find_or_create(lifecycle.db(), "bench", Role::Owner).await?;
    let new = NewJob {
        kind: "command".to_owned(),
        repository: "https://localhost/bench.git".to_owned(),
        script: Some("true".to_owned()),
        ..NewJob::default()
    };
    let request = JobRequest::parse(new, Trigger::Api, &RequestRules::new(&config))?;
    let mut tick = tokio::time::interval(Duration::from_millis(1000 / PER_SECOND));
    let (mut asked, mut latency) = (HashMap::new(), Histogram::default());
    for _ in 0..LOADED_JOBS {
        tick.tick().await;
        let now = Instant::now();
        let (Submitted::New(job) | Submitted::Before(job)) = lifecycle.submit(&person, &request).await?;
        asked.insert(job.id, now);
    }
    for _ in 0..LOADED_JOBS {
        let (job, started) = runner.started.recv().await.context("the runner has ended")?;
        latency.add(started - asked.remove(&job).context("another job was started")?);
    }
    runner.stop().await?;
    let name = |what: &str| format!("asked → started at {PER_SECOND} jobs/s, {what}");
    report.add("claim", name("p50"), latency.percentile(50), "ms", Target::Below(2.0));
    report.add("claim", name("p99"), latency.percentile(99), "ms", Target::Below(7.0));
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
