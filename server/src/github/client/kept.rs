//! What is remembered between requests: answers in Redis, for the next time the same is asked, and pauses that GitHub asked
//! for, in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use redis::AsyncCommands as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::queue::Queue;

/// How long an answer is kept, in seconds.
const KEPT_FOR: u64 = 24 * 3600;
/// The largest answer that is kept.
const LARGEST: usize = 256 << 10;

/// A pause that GitHub asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub until: DateTime<Utc>,
}

/// An answer, and the mark by which GitHub knows whether it still holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub etag: String,
    pub body: String,
}

pub(super) struct Kept {
    queue: Option<Queue>,
    limits: Mutex<HashMap<String, RateLimit>>,
}

impl Kept {
    pub fn new(queue: Option<Queue>) -> Self {
        Self { queue, limits: Mutex::default() }
    }

    /// Redis being away costs a request that would have been cheaper, nothing else.
    pub async fn answer(&self, identity: &str, path: &str) -> Option<Answer> {
        let queue = self.queue.as_ref()?;
        let kept: Option<Vec<u8>> = queue.connection().get(key(queue, identity, path)).await.ok()?;
        serde_json::from_slice(&kept?).ok()
    }

    pub async fn keep(&self, identity: &str, path: &str, etag: &str, body: &[u8]) {
        let (Some(queue), Ok(body)) = (self.queue.as_ref(), str::from_utf8(body)) else { return };
        if body.len() > LARGEST {
            return;
        }
        let answer = Answer { etag: etag.to_owned(), body: body.to_owned() };
        let Ok(answer) = serde_json::to_vec(&answer) else { return };
        let kept: redis::RedisResult<()> =
            queue.connection().set_ex(key(queue, identity, path), answer, KEPT_FOR).await;
        if let Err(error) = kept {
            tracing::debug!(%error, "an answer of GitHub's was not kept");
        }
    }

    pub fn limited_until(&self, identity: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.retain(|_, limit| limit.until > now);
        limits.get(identity).map(|limit| limit.until)
    }

    pub fn limit(&self, identity: &str, until: DateTime<Utc>) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.insert(identity.to_owned(), RateLimit { until });
    }
}

/// A hash, because an identity and a path may be long, and who may see what is nobody's business in Redis.
fn key(queue: &Queue, identity: &str, path: &str) -> String {
    let digest = Sha256::digest(format!("{identity}\n{path}"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    queue.keys().github_answer(&digest)
}
