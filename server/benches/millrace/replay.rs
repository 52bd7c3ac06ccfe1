//! How fast the output of a finished job is read from its first line on.

use std::time::Instant;

use redis::AsyncCommands;

use crate::{
    child::Script,
    installation::Installation,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

const LINES: u64 = 100_000;
/// The best of so many.
const TIMES: u32 = 5;

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let runner = installation.start_runner()?;
    let script = Script::Flood { lines: LINES };
    let job = installation.client().await?.submit_script(installation, &script).await?;
    let total = Viewer::open(installation, job, 0, Events::Batch).await?.watch(|_, _| {}).await?;
    runner.end().await?;

    let config = installation.config(1)?;
    let lifecycle = installation.lifecycle(&config).await?;
    let live: u64 = lifecycle.queue().connection().llen(lifecycle.queue().keys().output(job, 1)).await?;
    let speed = async |after: u64, events: Events| {
        let mut best = 0_f64;
        for _ in 0..TIMES {
            let begin = Instant::now();
            let last = Viewer::open(installation, job, after, events).await?.watch(|_, _| {}).await?;
            anyhow::ensure!(last == total, "the output ends at line {last} of {total}");
            best = best.max((total - after) as f64 / begin.elapsed().as_secs_f64());
        }
        anyhow::Ok(best)
    };
    let target = Target::Above(1_000_000.0);
    let mixed = speed(0, Events::Batch).await?;
    report.add("replay", "100,000 lines, in batches", mixed, "lines/s", target);
    report.add("replay", "one event a line", speed(0, Events::Each).await?, "lines/s", Target::Open);
    let list = speed(total - live, Events::Batch).await?;
    report.add("replay", format!("the {live} lines in Redis"), list, "lines/s", Target::Open);
    let () = lifecycle.queue().connection().del(lifecycle.queue().keys().output(job, 1)).await?;
    let archive = speed(0, Events::Batch).await?;
    report.add("replay", "all from the archive", archive, "lines/s", target);
    Ok(())
}
