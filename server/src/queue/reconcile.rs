//! What the reconciler asks and tells Redis.

use app::model::{JobId, Kind, Timestamp};
use redis::{AsyncCommands, RedisResult};

use super::Queue;

impl Queue {
    /// How many ids wait in a lane.
    pub async fn waiting_count(&self, lane: Kind) -> RedisResult<u64> {
        let depth = self.depth(lane).await?;
        Ok(depth.waiting.iter().map(|(_, count)| u64::from(*count)).sum())
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

    /// Notes when jobs of a lane started, the oldest first, for when Redis has forgotten it.
    pub async fn restore_starts(&self, lane: Kind, starts: &[Timestamp]) -> RedisResult<()> {
        let key = self.keys.starts(lane);
        let mut calls = redis::pipe();
        calls.atomic().del(&key).ignore();
        if !starts.is_empty() {
            let starts: Vec<i64> = starts.iter().map(|start| start.0).collect();
            calls.rpush(&key, starts).ignore();
        }
        calls.query_async(&mut self.connection()).await
    }

    /// Forgets the lines of deleted jobs at once, instead of when their time is over.
    pub async fn forget_output(&self, jobs: &[(JobId, u32)]) -> RedisResult<()> {
        for (job, attempts) in jobs {
            let mut keys: Vec<String> =
                (1..=*attempts).map(|attempt| self.keys.output(*job, attempt)).collect();
            keys.push(self.keys.fence(*job));
            let () = self.connection().unlink(keys).await?;
        }
        Ok(())
    }
}
