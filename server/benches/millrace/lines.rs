//! How long a line takes from the child's write to each of its viewers, at a thousand lines a second.

use std::{cell::RefCell, rc::Rc, thread, time::Duration};

use anyhow::{Context as _, anyhow};
use app::model::JobId;
use tokio::{
    sync::{Semaphore, mpsc},
    task::LocalSet,
    time::timeout,
};

use crate::{
    child::{Script, monotonic, time_in},
    histogram::Histogram,
    installation::Installation,
    process::own_busy,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

const VIEWERS: [usize; 3] = [1, 100, 1000];
/// One a millisecond.
const LINES: u64 = 12_000;
/// How many viewers connect at once.
const CONNECTING: usize = 32;
/// How long everybody together may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn measure(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let runner = installation.start_runner()?;
    for viewers in VIEWERS {
        let go = installation.fresh_path();
        let script = Script::Paced { lines: LINES, after: go.clone() };
        let job = installation.client().await?.submit_script(installation, &script).await?;
        let busy = || anyhow::Ok([installation.server.busy()?, runner.busy()?, own_busy()?]);

        let (mut attached, watching) = watch(installation, job, viewers);
        for _ in 0..viewers {
            // When a viewer fails, it says why further down.
            if timeout(PATIENCE, attached.recv()).await?.is_none() {
                break;
            }
        }
        let (before, begin) = (busy()?, monotonic());
        std::fs::write(&go, "")?;
        let latency = tokio::task::spawn_blocking(move || {
            watching.join().map_err(|_| anyhow!("the viewers' thread has panicked"))?
        })
        .await??;
        let (after, elapsed) = (busy()?, monotonic() - begin);

        let expected = LINES * viewers as u64;
        anyhow::ensure!(latency.total() == expected, "{} of {expected} lines arrived", latency.total());
        let is_full = viewers == VIEWERS[VIEWERS.len() - 1];
        let target = |limit| if is_full { Target::Below(limit) } else { Target::Open };
        let name = |what: &str| format!("{viewers} viewers, {what}");
        report.add("lines", name("p50"), latency.percentile(50), "ms", target(15.0));
        report.add("lines", name("p99"), latency.percentile(99), "ms", target(60.0));
        for (who, (after, before)) in ["server", "runner", "bench"].iter().zip(after.iter().zip(before)) {
            let share = (*after - before).as_secs_f64() / elapsed.as_secs_f64() * 100.0;
            report.add("lines", name(&format!("processor time of the {who}")), share, "%", Target::Open);
        }
    }
    runner.end().await
}

type Watching = thread::JoinHandle<anyhow::Result<Histogram>>;

/// Watches on one thread of its own, so that viewers take as little from the server as they can. Each attached viewer is
/// announced.
fn watch(installation: &Installation, job: JobId, viewers: usize) -> (mpsc::UnboundedReceiver<()>, Watching) {
    let (announce, attached) = mpsc::unbounded_channel();
    let (address, token) = (installation.address.to_string(), installation.token.clone());
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let latency = Rc::new(RefCell::new(Histogram::default()));
        let connecting = Rc::new(Semaphore::new(CONNECTING));
        let local = LocalSet::new();
        let mut watching = Vec::new();
        for _ in 0..viewers {
            let (latency, connecting) = (Rc::clone(&latency), Rc::clone(&connecting));
            let (address, token, announce) = (address.clone(), token.clone(), announce.clone());
            watching.push(local.spawn_local(async move {
                let mut permit = Some(connecting.acquire().await?);
                let viewer = Viewer::connect(&address, &token, job, 0, Events::Batch).await?;
                viewer
                    .watch(|line, now| {
                        if permit.take().is_some() {
                            // The first line: Millrace's own, before the child prints.
                            let _ = announce.send(());
                        }
                        if let Some(printed) = time_in(line) {
                            latency.borrow_mut().add(now.saturating_sub(printed));
                        }
                    })
                    .await
            }));
        }
        drop(announce);
        runtime.block_on(local.run_until(async {
            for viewer in watching {
                viewer.await??;
            }
            anyhow::Ok(())
        }))?;
        Rc::into_inner(latency).map(RefCell::into_inner).context("a viewer goes on")
    });
    (attached, thread)
}
