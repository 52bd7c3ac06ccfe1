//! Executes attempts: claims jobs, keeps their leases, and lets them go again.

mod access;
mod agent_attempt;
pub mod agents;
mod attempt;
mod checkout;
mod command;
mod executor;
mod extent;
mod git;
mod heartbeat;
pub mod kin;
mod output;
mod patience;
mod process;
mod progress;
pub mod publish;
mod registration;
mod repository;
pub mod sandbox;
mod secrets;
mod stop;
mod verdicts;
mod workspace;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::model::{AgentStatus, JobId, Kind};
use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

pub use self::{
    access::Access,
    attempt::RunningAttempt,
    executor::Executor,
    output::AttemptOutput,
    stop::{Shutdown, StopReason, StopSignal, Stopper},
};
use crate::{
    config::Config,
    db::{self, OwnedJob, transitions::Outcome},
    lifecycle::Lifecycle,
    queue::{Claim, Doorbell},
};
use verdicts::Verdicts;

/// How long an idle runner waits at the door before it looks regardless.
const PATIENCE: Duration = Duration::from_secs(2);
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// How long to wait before Redis or Postgres is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a runner that stops looks for attempts that do not know it yet.
const STOP_AGAIN: Duration = Duration::from_millis(100);
/// How long attempts may take to be given back when somebody hurries, beyond the time that their processes have to end.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What an attempt does. The runner takes care of everything around it: leases, output, cancellation, the verdict's way
/// to Postgres.
#[async_trait]
pub trait Execute: Send + Sync {
    /// Does the work and says how it ended. Returns soon after `attempt.stop` was requested; what it returns then is
    /// overruled by the reason for the stop.
    async fn execute(&self, attempt: &RunningAttempt) -> Outcome;
}

/// An attempt in this runner's hands.
type Key = (JobId, u32);

pub struct Runner {
    name: String,
    lifecycle: Lifecycle,
    config: Arc<Config>,
    executor: Arc<dyn Execute>,
    held: Mutex<HashMap<Key, Stopper>>,
    slots: Arc<Semaphore>,
    verdicts: Verdicts,
    /// What there is of each agent on this machine; nothing before it has looked.
    agents: watch::Sender<Vec<AgentStatus>>,
    /// The operator wants it to take nothing new; the heartbeat hears of it.
    draining: AtomicBool,
}

impl Runner {
    /// `name` comes from [`unique_name`].
    pub fn new(
        name: String,
        lifecycle: Lifecycle,
        config: Arc<Config>,
        executor: Arc<dyn Execute>,
    ) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(config.runner.slots.get() as usize));
        let verdicts = Verdicts::start(lifecycle.clone(), name.clone());
        Arc::new(Self {
            name,
            lifecycle,
            config,
            executor,
            held: Mutex::default(),
            slots,
            verdicts,
            agents: watch::Sender::default(),
            draining: AtomicBool::new(false),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Works until it is to stop; then the running attempts have the grace of the configuration to end, and are given back
    /// to the queue when it is over or somebody hurries.
    pub async fn run(self: Arc<Self>, Shutdown { stop, hurry }: Shutdown) -> anyhow::Result<()> {
        let lanes = &self.config.runner.lanes;
        db::runners::heartbeat(self.lifecycle.db(), &self.name, self.config.runner.slots.get(), lanes)
            .await?;
        tracing::info!(runner = self.name, slots = self.config.runner.slots, ?lanes, "ready for jobs");

        let heartbeat = tokio::spawn(heartbeat::keep(Arc::clone(&self)));
        let registration = AbortOnDropHandle::new(tokio::spawn(registration::keep(Arc::clone(&self))));
        let attempts = TaskTracker::new();
        self.claim_until(&stop, &attempts).await;

        attempts.close();
        let grace = self.config.runner.grace;
        tracing::info!(running = self.held().len(), grace_s = grace.as_secs(), "stopping");
        tokio::select! {
            () = attempts.wait() => {}
            () = tokio::time::sleep(grace) => {}
            () = hurry.cancelled() => {}
        }
        // Again and again: one that was claimed in the last moment may only be about to begin.
        let ended = attempts.wait();
        let hurried = async {
            hurry.cancelled().await;
            tokio::time::sleep(self.config.runner.kill_after + LAST_WORDS).await;
        };
        tokio::pin!(ended, hurried);
        loop {
            for stopper in self.held().values() {
                stopper.stop(StopReason::RunnerStops);
            }
            tokio::select! {
                () = &mut ended => break,
                () = &mut hurried => {
                    // Postgres is away, or Redis: the leases run out.
                    tracing::warn!(left = self.held().len(), "stopping without having given everything back");
                    break;
                }
                () = tokio::time::sleep(STOP_AGAIN) => {}
            }
        }
        heartbeat.abort();
        drop(registration);
        if let Err(error) = db::runners::remove(self.lifecycle.db(), &self.name).await {
            tracing::debug!(%error, "the runner stays on the list until it is forgotten");
        }
        Ok(())
    }

    async fn claim_until(self: &Arc<Self>, stop: &CancellationToken, attempts: &TaskTracker) {
        let mut lanes = self.config.runner.lanes.clone();
        let mut doorbell = self.lifecycle.queue().doorbell(&lanes);
        while !stop.is_cancelled() {
            let looked = tokio::select! {
                looked = self.claim_once(&mut lanes, &mut doorbell, attempts) => looked,
                () = stop.cancelled() => return,
            };
            if let Err(error) = looked {
                tracing::warn!(error = format!("{error:#}"), "no jobs can be claimed now");
                tokio::select! {
                    () = tokio::time::sleep(RETRY_AFTER) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }

    /// Waits for a free slot, takes what there is, and waits at the door when there was nothing.
    async fn claim_once(
        self: &Arc<Self>,
        lanes: &mut [Kind],
        doorbell: &mut Doorbell,
        attempts: &TaskTracker,
    ) -> anyhow::Result<()> {
        if self.draining.load(Ordering::Relaxed) {
            // Not at the door: it would take rings that are meant for others.
            tokio::time::sleep(RETRY_AFTER).await;
            return Ok(());
        }
        drop(self.slots.acquire().await?);
        // Attempts that ended together give their slots back one after the other; all of them are filled at once.
        let mut free = 0;
        while free < self.slots.available_permits() {
            free = self.slots.available_permits();
            tokio::task::yield_now().await;
        }
        let mut took_any = false;
        let mut patience = PATIENCE;
        for lane in lanes.iter() {
            // In a task of its own: from the claim on ids are in this runner's hands, and a stop in this very moment must not
            // drop them.
            let claim = attempts.spawn(Arc::clone(self).claim_from(*lane, attempts.clone())).await??;
            took_any |= !claim.jobs.is_empty();
            patience = claim.again_in.map_or(patience, |again| again.clamp(SHORTEST_WAIT, patience));
        }
        if took_any {
            // Each lane is the first to be asked in its turn.
            lanes.rotate_left(1);
        } else if let Some(rang) = doorbell.wait(patience).await?
            && let Some(place) = lanes.iter().position(|lane| *lane == rang)
        {
            lanes.rotate_left(place);
        }
        Ok(())
    }

    /// Claims as many jobs as slots are free, and starts them. What ends meanwhile makes the next claim larger.
    async fn claim_from(self: Arc<Self>, lane: Kind, attempts: TaskTracker) -> anyhow::Result<Claim> {
        let free = self.slots.available_permits();
        let Ok(slots) = Arc::clone(&self.slots).try_acquire_many_owned(u32::try_from(free)?) else {
            return Ok(Claim { jobs: Vec::new(), again_in: None });
        };
        if free == 0 {
            return Ok(Claim { jobs: Vec::new(), again_in: None });
        }
        let claim = self.lifecycle.queue().claim(lane, &self.name, free).await?;
        if !claim.jobs.is_empty() {
            Arc::clone(&self).start(lane, claim.jobs.clone(), slots, attempts).await;
        }
        Ok(claim)
    }

    /// Starts what Postgres lets this runner start.
    async fn start(
        self: Arc<Self>,
        lane: Kind,
        claimed: Vec<JobId>,
        mut slots: OwnedSemaphorePermit,
        attempts: TaskTracker,
    ) {
        // What is more than was claimed is free again.
        drop(slots.split(slots.num_permits().saturating_sub(claimed.len())));
        let lease = self.config.queue.lease;
        match self.lifecycle.start(lane, &claimed, &self.name, lease).await {
            Ok(started) => {
                for job in started {
                    // There is one for each id that was claimed.
                    let Some(slot) = slots.split(1) else { continue };
                    attempts.spawn(Arc::clone(&self).attempt(job, slot));
                }
            }
            Err(error) => {
                // Whether they were started is unknown. The reconciler queues them again, or the heartbeat finds attempts
                // that nobody executes and gives them back.
                tracing::warn!(%error, "claimed jobs could not be started");
                if let Err(error) = self.lifecycle.queue().release(lane, &self.name, &claimed).await {
                    tracing::debug!(%error, "slots are given back later");
                }
            }
        }
    }

    async fn attempt(self: Arc<Self>, job: OwnedJob, slot: OwnedSemaphorePermit) {
        let key = (job.job.id, job.job.attempt);
        let (stopper, signal) = stop::stop_signal();
        self.held().insert(key, stopper);
        attempt::run(&self, job, signal, slot).await;
        self.held().remove(&key);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Key, Stopper>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_keys(&self) -> HashSet<Key> {
        self.held().keys().copied().collect()
    }
}

/// The configured name, or the host's, and eight characters of its own: what an earlier start of this runner held must not
/// be taken for this one's.
pub fn unique_name(configured: &str) -> anyhow::Result<String> {
    let base = if configured.is_empty() {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if host.is_empty() { "runner".to_owned() } else { host }
    } else {
        configured.to_owned()
    };
    let mut random = [0; 4];
    getrandom::fill(&mut random)?;
    Ok(format!("{base}-{:08x}", u32::from_be_bytes(random)))
}
