//! A real runner inside the bench whose attempts do nothing: what is left is the cost of the queue.

use std::{sync::Arc, time::Instant};

use app::model::JobId;
use async_trait::async_trait;
use millrace::{
    db::{self, transitions::Outcome},
    lifecycle::Lifecycle,
    runner::{Execute, Runner, RunningAttempt, Shutdown, unique_name},
};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::installation::Installation;

/// Notes when each attempt starts.
struct Noop(mpsc::UnboundedSender<(JobId, Instant)>);

#[async_trait]
impl Execute for Noop {
    async fn execute(&self, attempt: &RunningAttempt) -> Outcome {
        // Somebody who has stopped counting is no reason to fail.
        let _ = self.0.send((attempt.job.id, Instant::now()));
        Outcome::succeeded(Some(0))
    }
}

pub struct NoopRunner {
    pub started: mpsc::UnboundedReceiver<(JobId, Instant)>,
    lifecycle: Lifecycle,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
}

impl NoopRunner {
    pub async fn start(installation: &Installation, slots: u32) -> anyhow::Result<Self> {
        let config = installation.config(slots)?;
        let lifecycle = installation.lifecycle(&config).await?;
        let (sender, started) = mpsc::unbounded_channel();
        let name = unique_name("bench")?;
        let runner = Runner::new(name, lifecycle.clone(), config, Arc::new(Noop(sender)));
        let shutdown = Shutdown::default();
        let running = tokio::spawn(runner.run(shutdown.clone()));
        Ok(Self { started, lifecycle, shutdown, running })
    }

    /// How many jobs wait or run.
    pub async fn unfinished(&self) -> anyhow::Result<u32> {
        let counts = db::lane_counts(self.lifecycle.db()).await?;
        Ok(counts.iter().map(|count| count.running + count.queued).sum())
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.stop.cancel();
        self.running.await?
    }
}
