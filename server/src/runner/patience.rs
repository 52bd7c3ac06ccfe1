//! What an attempt asks of Postgres while that is away.

use std::fmt::Display;

use super::{RETRY_AFTER, RunningAttempt};
use crate::{connection::ConnectionError, db};

impl RunningAttempt {
    /// Asks, and asks again while Postgres is away: that is no reason for an attempt to end. The heartbeat keeps the lease,
    /// or learns that it is lost, and then the attempt is stopped, which ends the patience too.
    pub(super) async fn patiently<T, E: MayPass, F: Future<Output = Result<T, E>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, E> {
        loop {
            let error = match ask().await {
                Err(error) if error.is_passing() => error,
                answer => return answer,
            };
            if self.stop.reason().is_some() {
                return Err(error);
            }
            tracing::warn!(job.id = %self.job.id, %error, "Postgres is away; the attempt waits");
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                _ = self.stop.requested() => return Err(error),
            }
        }
    }
}

/// An error behind which there may be a Postgres that is away.
pub(super) trait MayPass: Display {
    fn is_passing(&self) -> bool;
}

impl MayPass for sqlx::Error {
    fn is_passing(&self) -> bool {
        db::is_passing(self)
    }
}

impl MayPass for ConnectionError {
    fn is_passing(&self) -> bool {
        matches!(self, Self::Database(error) if db::is_passing(error))
    }
}

impl MayPass for anyhow::Error {
    fn is_passing(&self) -> bool {
        self.downcast_ref().is_some_and(db::is_passing)
    }
}
