//! What Redis knows of a lane: its limits and pause, and how full it is.

use std::{sync::LazyLock, time::Duration};

use app::model::{Kind, Priority, Timestamp};
use redis::{AsyncCommands, RedisResult, Script};

use super::Queue;

static OPEN_LANE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/open_lane.lua")));
static DEPTH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/depth.lua")));

/// The limits under which jobs of a lane start, over all runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Limits with a smaller one are older.
    pub revision: i64,
    /// How many run at once.
    pub concurrency: u32,
    /// How many start within a minute; 0 for no limit.
    pub rate: u32,
    /// After this time without a start, a priority goes before the more urgent ones, once.
    pub ageing: Duration,
    pub paused: Paused,
}

/// Whether a lane starts anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    No,
    Until(Timestamp),
    UntilResumed,
}

/// How full a lane is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneDepth {
    /// Starts within the last minute; known only for a lane with a rate.
    pub started: u32,
    /// The oldest of them.
    pub oldest_start: Option<Timestamp>,
    /// How many wait in each priority.
    pub waiting: Vec<(Priority, u32)>,
}

impl Queue {
    /// Tells Redis a lane's limits, unless it knows newer ones. From then on its jobs start.
    pub async fn open_lane(&self, lane: Kind, limits: &LaneLimits) -> RedisResult<()> {
        self.tell_limits(lane, limits, "1").await
    }

    /// Tells Redis a lane's limits, unless it knows newer ones. A lane that is not open stays so.
    pub async fn note_limits(&self, lane: Kind, limits: &LaneLimits) -> RedisResult<()> {
        self.tell_limits(lane, limits, "0").await
    }

    async fn tell_limits(&self, lane: Kind, limits: &LaneLimits, opens: &str) -> RedisResult<()> {
        let paused_until = match limits.paused {
            Paused::No => 0,
            Paused::Until(time) => time.0,
            Paused::UntilResumed => -1,
        };
        let mut call = OPEN_LANE.key(self.keys.lane(lane));
        call.arg(opens).arg(limits.revision);
        call.arg("concurrency").arg(limits.concurrency).arg("rate").arg(limits.rate);
        call.arg("paused_until").arg(paused_until);
        call.arg("ageing").arg(i64::try_from(limits.ageing.as_millis()).unwrap_or(i64::MAX));
        call.invoke_async(&mut self.connection()).await
    }

    /// Whether jobs of the lane start; they do not after Redis was emptied.
    pub async fn is_open(&self, lane: Kind) -> RedisResult<bool> {
        self.connection().hexists(self.keys.lane(lane), "open").await
    }

    /// Wakes runners that wait for work in this lane.
    pub async fn ring_door(&self, lane: Kind) -> RedisResult<()> {
        let door = self.keys.doorbell(lane);
        redis::pipe()
            .rpush(&door, 1)
            .ignore()
            .ltrim(&door, -64, -1)
            .ignore()
            .query_async(&mut self.connection())
            .await
    }

    pub async fn depth(&self, lane: Kind) -> RedisResult<LaneDepth> {
        let mut call = DEPTH.key(self.keys.starts(lane));
        for priority in Priority::ALL {
            call.key(self.keys.waiting(lane, *priority));
        }
        let numbers: Vec<i64> = call.invoke_async(&mut self.connection()).await?;
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
        let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(LaneDepth {
            started: small(number(0)),
            oldest_start: Some(number(1)).filter(|time| *time > 0).map(Timestamp),
            waiting: Priority::ALL
                .iter()
                .copied()
                .zip(numbers.iter().skip(2).map(|count| small(*count)))
                .collect(),
        })
    }
}
