//! Keeps the leases of everything that runs here, and hears what is to be stopped.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use app::model::JobId;
use tokio::time::{MissedTickBehavior, interval};

use super::{Key, Runner, StopReason};
use crate::db::{self, runners::Draining, transitions::Loss};

/// Attempts that Postgres has as this runner's, but that do not run here, and since when they were seen.
type Strangers = HashMap<Key, Instant>;

/// Renews, forever. Rings make it look at once: somebody canceled something.
pub(super) async fn keep(runner: Arc<Runner>) {
    let mut tick = interval(runner.config.queue.heartbeat());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let channel = runner.lifecycle.queue().keys().runner_bell(&runner.name);
    let mut ring = runner.lifecycle.queue().bells().listen(&channel);
    let mut strangers = Strangers::new();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = ring.heard() => {}
        }
        match beat(&runner, &strangers).await {
            Ok(found) => strangers = found,
            Err(error) => tracing::warn!(%error, "leases could not be renewed and are tried again"),
        }
    }
}

/// One renewal. Returns the strangers.
async fn beat(runner: &Runner, strangers: &Strangers) -> sqlx::Result<Strangers> {
    let (db, config) = (runner.lifecycle.db(), &runner.config);
    let draining =
        db::runners::heartbeat(db, &runner.name, config.runner.slots.get(), &config.runner.lanes).await?;
    runner.draining.store(draining == Draining::Yes, Ordering::Relaxed);
    // What was started after this moment may be missing from the answer.
    let held_before = runner.held_keys();
    let renewed = db::attempts::renew(db, &runner.name, config.queue.lease).await?;
    {
        let held = runner.held();
        for attempt in renewed.iter().filter(|attempt| attempt.cancel_requested) {
            if let Some(stopper) = held.get(&(attempt.id, attempt.attempt)) {
                stopper.stop(StopReason::Canceled);
            }
        }
        let still_ours: HashSet<Key> = renewed.iter().map(|attempt| (attempt.id, attempt.attempt)).collect();
        for (key, stopper) in
            held.iter().filter(|(key, _)| held_before.contains(key) && !still_ours.contains(key))
        {
            tracing::warn!(job.id = %key.0, attempt = key.1, "the lease was lost");
            stopper.stop(StopReason::Lost);
        }
    }
    let held = runner.held_keys();
    let now = Instant::now();
    let found: Strangers = renewed
        .iter()
        .map(|attempt| (attempt.id, attempt.attempt))
        .filter(|key| !held.contains(key))
        .map(|key| (key, strangers.get(&key).copied().unwrap_or(now)))
        .collect();
    // An attempt is a stranger for a moment between its start and its task. One that stays a stranger for as long as a usual
    // pause between two beats (a ring may make that short) was started without this runner hearing of it, and nobody will
    // ever execute it.
    let pause = config.queue.heartbeat();
    for ((id, attempt), _) in found.iter().filter(|(_, since)| now.duration_since(**since) >= pause) {
        if let Err(error) = give_back(runner, *id, *attempt).await {
            tracing::warn!(job.id = %id, attempt, %error, "an attempt that does not run here is given back later");
        }
    }
    Ok(found)
}

async fn give_back(runner: &Runner, id: JobId, attempt: u32) -> sqlx::Result<()> {
    if let Some(owned) = db::find_owned(runner.lifecycle.db(), id).await?
        && owned.job.attempt == attempt
    {
        tracing::warn!(job.id = %id, attempt, "an attempt that does not run here is given back");
        runner.lifecycle.lose(&owned.job, &runner.name, Loss::HandedBack, 0).await?;
    }
    Ok(())
}
