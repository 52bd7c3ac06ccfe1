//! A runner's side: taking ids and giving slots back.

use std::{sync::LazyLock, time::Duration};

use app::model::{JobId, Kind, Priority};
use redis::{RedisResult, Script};

use super::Queue;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/claim.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/release.lua")));

/// What a runner got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub jobs: Vec<JobId>,
    /// When to look again although nobody rings: a pause or a rate's minute ends then.
    pub again_in: Option<Duration>,
}

impl Queue {
    /// Takes up to `slots` jobs of a lane for `runner`, within the lane's limits over all runners. Postgres has the last
    /// word on each of them.
    pub async fn claim(&self, lane: Kind, runner: &str, slots: usize) -> RedisResult<Claim> {
        let mut call = CLAIM.key(self.keys.lane(lane));
        call.key(self.keys.active(lane))
            .key(self.keys.starts(lane))
            .key(self.keys.running(runner))
            .key(self.keys.turns(lane));
        for priority in Priority::ALL {
            call.key(self.keys.queue(lane, *priority)).key(self.keys.waiting(lane, *priority));
        }
        let answer: Vec<String> = call.arg(slots).invoke_async(&mut self.connection()).await?;
        let mut answer = answer.into_iter();
        let again_in = answer.next().and_then(|millis| millis.parse().ok()).map(Duration::from_millis);
        // Only Millrace writes here; what is not an id cannot be a job, and may not keep the slot that it was given.
        let (jobs, strangers): (Vec<_>, Vec<_>) = answer.partition(|id| id.parse::<JobId>().is_ok());
        self.release_entries(lane, runner, &strangers).await?;
        Ok(Claim { jobs: jobs.iter().filter_map(|id| id.parse().ok()).collect(), again_in })
    }

    /// Gives the slots of jobs back that have ended, or that Postgres did not let the runner start.
    pub async fn release(&self, lane: Kind, runner: &str, ids: &[JobId]) -> RedisResult<()> {
        let ids: Vec<String> = ids.iter().map(JobId::to_string).collect();
        self.release_entries(lane, runner, &ids).await
    }

    async fn release_entries(&self, lane: Kind, runner: &str, entries: &[String]) -> RedisResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut call = RELEASE.key(self.keys.active(lane));
        call.key(self.keys.running(runner)).key(self.keys.doorbell(lane));
        for priority in Priority::ALL {
            call.key(self.keys.waiting(lane, *priority));
        }
        for entry in entries {
            call.arg(entry);
        }
        call.invoke_async(&mut self.connection()).await
    }
}
