//! What the reconciler asks of Redis.

use app::model::{JobId, Kind};
use redis::{AsyncCommands, RedisResult};

use super::Queue;

impl Queue {
    /// How many ids wait in a lane's lists.
    pub async fn waiting_count(&self, lane: Kind) -> RedisResult<u64> {
        self.connection().scard(self.keys.waiting(lane)).await
    }

    /// The ids that hold one of a lane's slots; at most as many as the lane's concurrency.
    pub async fn active(&self, lane: Kind) -> RedisResult<Vec<JobId>> {
        let ids: Vec<String> = self.connection().smembers(self.keys.active(lane)).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Notes that running jobs hold slots, for when Redis has forgotten it.
    pub async fn hold(&self, lane: Kind, ids: &[JobId]) -> RedisResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = ids.iter().map(JobId::to_string).collect();
        self.connection().sadd(self.keys.active(lane), ids).await
    }
}
