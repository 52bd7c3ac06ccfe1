//! Deletes what is not to be kept any longer. Every server runs it; a lock lets one of them work at a time.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Lifecycle;
use crate::{
    config::RetentionConfig,
    db::{self, Lock},
};

const EVERY: Duration = Duration::from_secs(600);

/// Looks every ten minutes until `stop`.
pub async fn retain(lifecycle: Lifecycle, config: RetentionConfig, stop: CancellationToken) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = round(&lifecycle, &config, &stop).await {
            tracing::warn!(%error, "what is too old could not be deleted and is tried again");
        }
    }
}

async fn round(
    lifecycle: &Lifecycle,
    config: &RetentionConfig,
    stop: &CancellationToken,
) -> sqlx::Result<()> {
    let mut lock = lifecycle.db.begin().await?;
    if !db::try_lock(&mut *lock, Lock::Retain).await? {
        return Ok(());
    }
    db::sessions::delete_expired(&lifecycle.db).await?;
    db::deliveries::delete_old(&lifecycle.db, config.jobs).await?;
    let runners = db::runners::delete_dead(&lifecycle.db).await?;
    if runners > 0 {
        tracing::info!(runners, "runners that were not heard of for a day were forgotten");
    }
    lifecycle.retain(config, stop).await?;
    lock.commit().await
}
