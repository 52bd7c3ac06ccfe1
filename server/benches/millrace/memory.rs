//! Resident memory of server and runner, at rest and at most while a job prints a gigabyte that somebody watches.

use std::time::{Duration, Instant};

use crate::{
    child::Script,
    installation::Installation,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

const LINE_BYTES: u64 = 100;
const BYTES: u64 = 1_000_000_000;
/// However much is printed.
const LIMIT: Target = Target::Below(64.0);
/// Until everything that a start needs is over.
const SETTLE: Duration = Duration::from_secs(2);

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    // A server of its own, so that nothing of what was measured before is left in it.
    let fresh = Installation::start().await?;
    let runner = fresh.start_runner()?;
    tokio::time::sleep(SETTLE).await;
    report.add("memory", "server at rest", fresh.server.resident()?, "MB", Target::Open);
    report.add("memory", "runner at rest", runner.resident()?, "MB", Target::Open);

    let begin = Instant::now();
    let script = Script::Flood { lines: BYTES / LINE_BYTES };
    let job = fresh.client().await?.submit_script(&fresh, &script).await?;
    Viewer::open(&fresh, job, 0, Events::Batch).await?.watch(|_, _| {}).await?;
    let seconds = begin.elapsed().as_secs_f64();
    report.add("memory", "server at most, 1 GB watched", fresh.server.most_resident()?, "MB", LIMIT);
    report.add("memory", "runner at most, 1 GB printed", runner.most_resident()?, "MB", LIMIT);
    report.add("memory", "output that went through", BYTES as f64 / 1e6 / seconds, "MB/s", Target::Open);
    runner.end().await
}
