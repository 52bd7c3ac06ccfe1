//! Putting ids into the lists.

use std::sync::LazyLock;

use app::model::{JobId, Kind, Priority};
use redis::{RedisResult, Script};

use super::Queue;

static PUSH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/push.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/remove.lua")));

impl Queue {
    /// Puts jobs of one lane and priority at the end of their list and rings for runners. An id that waits already, or
    /// holds a slot, stays where it is, so that pushing again is always safe.
    pub async fn push(&self, lane: Kind, priority: Priority, ids: &[JobId]) -> RedisResult<()> {
        let mut call = PUSH.key(self.keys.waiting(lane));
        call.key(self.keys.active(lane)).key(self.keys.queue(lane, priority)).key(self.keys.doorbell(lane));
        for id in ids {
            call.arg(id.to_string());
        }
        call.invoke_async(&mut self.connection()).await
    }

    /// Takes a job that was canceled out of its list. One that is not there is no error.
    pub async fn remove(&self, lane: Kind, priority: Priority, id: JobId) -> RedisResult<()> {
        REMOVE
            .key(self.keys.waiting(lane))
            .key(self.keys.queue(lane, priority))
            .arg(id.to_string())
            .invoke_async(&mut self.connection())
            .await
    }
}
