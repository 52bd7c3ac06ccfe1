//! Why a job has not started yet, and when it may.

use app::model::{ApiError, Job, JobState, Kind, Timestamp, WaitReason, Waiting};
use chrono::Utc;

use super::{Lifecycle, away};
use crate::db::{self, Ahead, runners::Slots};

/// A rate counts the starts of so many milliseconds.
const MINUTE_MS: i64 = 60_000;

impl Lifecycle {
    /// What a job that waits waits for; nothing for one that does not.
    pub async fn waiting(&self, job: &Job) -> Result<Option<Waiting>, ApiError> {
        match job.state {
            JobState::Scheduled => Ok(Some(scheduled(job))),
            JobState::Parked => Ok(Some(parked(job))),
            JobState::Queued => self.queued(job).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn queued(&self, job: &Job) -> Result<Waiting, ApiError> {
        let db = &self.db;
        let (lanes, ahead, slots, usual_ms) = tokio::try_join!(
            self.lanes(),
            async { db::ahead(db, job).await.map_err(away) },
            async { db::runners::slots(db, job.kind).await.map_err(away) },
            async { db::usual_duration(db, job.kind, &job.repository).await.map_err(away) },
        )?;
        let Some(lane) = lanes.into_iter().find(|lane| lane.kind == job.kind) else {
            return Err(ApiError::Internal);
        };
        let rate = match lane.rate {
            None => None,
            Some(per_minute) => {
                let oldest = self.queue.depth(job.kind).await.ok().and_then(|depth| depth.oldest_start);
                let next_ms = oldest.map_or(0, |start| time_to(Timestamp(start.0 + MINUTE_MS)));
                Some(Rate { per_minute, started: lane.started, next_ms })
            }
        };
        let paused_ms = match &lane.pause {
            None => Some(0),
            Some(pause) => pause.until.map(time_to),
        };
        let outlook = Outlook {
            position: position(ahead),
            running: lane.running,
            concurrency: lane.concurrency,
            slots,
            rate,
            usual_ms,
            paused_ms,
        };

        let mut reasons = Vec::new();
        if let Some(pause) = lane.pause {
            reasons.push(WaitReason::Paused { why: pause.reason, until: pause.until });
        }
        if slots.all == 0 {
            reasons.push(self.why_no_slots(job.kind).await?);
        }
        if let Some(Rate { per_minute, next_ms, .. }) = rate.filter(|rate| rate.left() == 0) {
            let next_at = Utc::now().timestamp_millis().saturating_add_unsigned(next_ms);
            reasons.push(WaitReason::Rate { per_minute, next_at: Timestamp(next_at) });
        }
        if lane.running >= lane.concurrency {
            reasons.push(WaitReason::Concurrency { limit: lane.concurrency });
        } else if slots.all > 0 && slots.busy >= slots.all {
            reasons.push(WaitReason::NoSlot);
        }
        if outlook.position > 0 {
            reasons.push(WaitReason::EarlierJobs { count: outlook.position });
        }
        Ok(Waiting { reasons, position: Some(outlook.position), estimate_ms: outlook.estimate_ms() })
    }

    /// No runner that takes this lane takes new jobs: because there is none, or because somebody drains them.
    async fn why_no_slots(&self, lane: Kind) -> Result<WaitReason, ApiError> {
        let runners = db::runners::all(&self.db).await.map_err(away)?;
        let mut of_lane = runners.iter().filter(|runner| runner.online && runner.lanes.contains(&lane));
        Ok(if of_lane.any(|runner| runner.draining) { WaitReason::Draining } else { WaitReason::NoRunner })
    }
}

/// What decides when a queued job starts.
#[derive(Clone, Copy, Debug)]
struct Outlook {
    /// How many jobs go first.
    position: u64,
    /// Jobs of the lane.
    running: u32,
    concurrency: u32,
    slots: Slots,
    rate: Option<Rate>,
    /// How long a job takes; unknown before the first one.
    usual_ms: Option<u64>,
    /// Until the lane's pause is over; unknown when somebody has to end it.
    paused_ms: Option<u64>,
}

/// How many jobs of a lane may start within a minute.
#[derive(Clone, Copy, Debug)]
struct Rate {
    per_minute: u32,
    /// Within the last minute.
    started: u32,
    /// Until the first of these no longer counts.
    next_ms: u64,
}

impl Outlook {
    fn estimate_ms(&self) -> Option<u64> {
        if self.slots.all == 0 {
            return None;
        }
        let rate_ms = self.rate.map_or(0, |rate| rate.wait_ms(self.position));
        Some(self.paused_ms?.max(rate_ms) + self.turn_ms()?)
    }

    /// Until jobs that run have made room. Each turn of the lane takes as long as a usual job.
    fn turn_ms(&self) -> Option<u64> {
        let has_room = self.running < self.concurrency && self.slots.busy < self.slots.all;
        if has_room && self.position == 0 {
            return Some(0);
        }
        // What other lanes run on the same runners is in the way too.
        let of_others = self.slots.busy.saturating_sub(self.running);
        let at_once = self.slots.all.saturating_sub(of_others).min(self.concurrency).max(1);
        self.usual_ms.map(|usual| usual * ((self.position + 1) / u64::from(at_once)).max(1))
    }
}

impl Rate {
    /// How many may still start now.
    fn left(&self) -> u32 {
        self.per_minute.saturating_sub(self.started)
    }

    /// Until a job may start before which `position` others do.
    fn wait_ms(&self, position: u64) -> u64 {
        match position.checked_sub(self.left().into()) {
            None => 0,
            Some(later) => {
                self.next_ms + later / u64::from(self.per_minute.max(1)) * MINUTE_MS.unsigned_abs()
            }
        }
    }
}

fn parked(job: &Job) -> Waiting {
    let until = job.run_at.unwrap_or(job.created_at);
    let agent = job.agent.clone().unwrap_or_default();
    Waiting {
        reasons: vec![WaitReason::Quota { agent, until }],
        position: None,
        estimate_ms: Some(time_to(until)),
    }
}

fn time_to(time: Timestamp) -> u64 {
    u64::try_from(time.0 - Utc::now().timestamp_millis()).unwrap_or(0)
}

fn scheduled(job: &Job) -> Waiting {
    let Some(at) = job.run_at else {
        return Waiting { reasons: vec![WaitReason::Conversation], position: None, estimate_ms: None };
    };
    let reason = match job.attempt {
        0 => WaitReason::RunAt { at },
        attempt => WaitReason::Retry { at, attempt: attempt + 1 },
    };
    Waiting { reasons: vec![reason], position: None, estimate_ms: Some(time_to(at)) }
}

/// About how many jobs go first: all the more urgent ones; of its own priority those whose share has its turn before. The
/// turn goes round people and repositories alternately, so the job starts by whichever side comes first, and never later
/// than in the order in which all were asked for.
fn position(ahead: Ahead) -> u64 {
    let by_turns = 2 * ahead.by_person.min(ahead.by_repository);
    ahead.more_urgent + by_turns.min(ahead.earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_after_the_more_urgent_and_by_its_shares_turn() {
        let alone = Ahead { more_urgent: 3, earlier: 4, by_person: 4, by_repository: 4 };
        assert_eq!(position(alone), 7);
        // A thousand of another person's are in front, but this person's first job is the second in turn.
        let fair = Ahead { more_urgent: 0, earlier: 1000, by_person: 1, by_repository: 1000 };
        assert_eq!(position(fair), 2);
    }

    const FREE: Outlook = Outlook {
        position: 0,
        running: 0,
        concurrency: 4,
        slots: Slots { all: 4, busy: 0 },
        rate: None,
        usual_ms: Some(1000),
        paused_ms: Some(0),
    };

    #[test]
    fn the_next_job_of_a_lane_with_room_starts_now_and_others_by_turns() {
        assert_eq!(FREE.estimate_ms(), Some(0));
        assert_eq!(Outlook { position: 8, ..FREE }.estimate_ms(), Some(2000));
        assert_eq!(Outlook { position: 8, usual_ms: None, ..FREE }.estimate_ms(), None);
        assert_eq!(Outlook { paused_ms: None, ..FREE }.estimate_ms(), None);
        assert_eq!(Outlook { slots: Slots { all: 0, busy: 0 }, ..FREE }.estimate_ms(), None);
    }

    #[test]
    fn slots_that_other_lanes_hold_are_not_there_for_this_one() {
        // Another lane holds three of the four.
        let shared = Outlook { slots: Slots { all: 4, busy: 3 }, ..FREE };
        assert_eq!(shared.estimate_ms(), Some(0));
        assert_eq!(Outlook { position: 7, ..shared }.estimate_ms(), Some(8000));
        let full = Outlook { slots: Slots { all: 4, busy: 4 }, ..FREE };
        assert_eq!(full.estimate_ms(), Some(1000), "somebody has to end first");
        // Two of the busy ones are its own, so the lane can have three.
        let own = Outlook { running: 2, position: 5, slots: Slots { all: 4, busy: 3 }, ..FREE };
        assert_eq!(own.estimate_ms(), Some(2000));
    }

    #[test]
    fn a_rate_lets_so_many_start_in_each_minute() {
        let rate = Rate { per_minute: 10, started: 8, next_ms: 20_000 };
        assert_eq!((rate.wait_ms(0), rate.wait_ms(1)), (0, 0));
        assert_eq!((rate.wait_ms(2), rate.wait_ms(11)), (20_000, 20_000));
        assert_eq!((rate.wait_ms(12), rate.wait_ms(22)), (80_000, 140_000));
        let slow = Outlook { position: 2, rate: Some(rate), ..FREE };
        assert_eq!(slow.estimate_ms(), Some(21_000));
        assert_eq!(Outlook { paused_ms: Some(50_000), ..slow }.estimate_ms(), Some(51_000));
    }
}
