//! Putting ids into the lists.

use std::sync::LazyLock;

use app::model::{JobId, Kind, Priority, UserId};
use redis::{AsyncCommands, RedisResult, Script};
use sha2::{Digest, Sha256};

use super::Queue;

static PUSH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/push.lua")));

/// How many jobs go in one call: Redis does nothing else meanwhile.
const BATCH: usize = 500;

/// A job that waits, and whose share of the lane it takes.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub id: JobId,
    pub person: Option<UserId>,
    pub repository: &'a str,
}

impl Queue {
    /// Puts jobs of one lane and priority at the end of their lists and rings for runners. An id that waits already, or
    /// holds a slot, stays where it is, so that pushing again is always safe.
    pub async fn push(&self, lane: Kind, priority: Priority, entries: &[Entry<'_>]) -> RedisResult<()> {
        for entries in entries.chunks(BATCH) {
            let mut call = PUSH.key(self.keys.active(lane));
            call.key(self.keys.waiting(lane, priority))
                .key(self.keys.queue(lane, priority))
                .key(self.keys.turns(lane))
                .key(self.keys.doorbell(lane))
                .arg(priority as usize + 1);
            for entry in entries {
                call.arg(entry.id.to_string()).arg(person(entry.person)).arg(repository(entry.repository));
            }
            let () = call.invoke_async(&mut self.connection()).await?;
        }
        Ok(())
    }

    /// Takes a job that was canceled or deleted out of the queue. One that is not there is no error.
    pub async fn remove(&self, lane: Kind, priority: Priority, id: JobId) -> RedisResult<()> {
        self.connection().srem(self.keys.waiting(lane, priority), id.to_string()).await
    }
}

fn person(person: Option<UserId>) -> String {
    person.map_or("nobody".to_owned(), |person| person.as_uuid().simple().to_string())
}

/// An address can be long and stands in a key: a few bytes of its digest tell it from others.
fn repository(address: &str) -> String {
    let digest = Sha256::digest(address.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
