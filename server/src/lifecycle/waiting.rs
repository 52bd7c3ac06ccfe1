//! Why a job has not started yet, and when it may.

use app::model::{ApiError, Job, JobState, Timestamp, WaitReason, Waiting};
use chrono::Utc;

use super::{Lifecycle, away};
use crate::db::{self, Ahead};

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
        let (lanes, ahead, slots, usual) = tokio::try_join!(
            self.lanes(),
            async { db::ahead(db, job).await.map_err(away) },
            async { db::runners::slots(db, job.kind).await.map_err(away) },
            async { db::usual_duration(db, job.kind, &job.repository).await.map_err(away) },
        )?;
        let Some(lane) = lanes.into_iter().find(|lane| lane.kind == job.kind) else {
            return Err(ApiError::Internal);
        };
        let position = position(ahead);
        let mut reasons = Vec::new();
        if let Some(pause) = &lane.pause {
            reasons.push(WaitReason::Paused { why: pause.reason.clone(), until: pause.until });
        }
        if slots == 0 {
            reasons.push(WaitReason::NoRunner);
        }
        let mut rate_ms = None;
        if let Some(rate) = lane.rate.filter(|rate| lane.started >= *rate) {
            let oldest = self.queue.depth(job.kind).await.ok().and_then(|depth| depth.oldest_start);
            let next = oldest.map_or_else(|| Utc::now().timestamp_millis(), |start| start.0 + MINUTE_MS);
            reasons.push(WaitReason::Rate { per_minute: rate, next_at: Timestamp(next) });
            rate_ms = Some(u64::try_from(next - Utc::now().timestamp_millis()).unwrap_or(0));
        }
        if lane.running >= lane.concurrency {
            reasons.push(WaitReason::Concurrency { limit: lane.concurrency });
        } else if slots > 0 && lane.running >= slots {
            reasons.push(WaitReason::NoSlot);
        }
        if position > 0 {
            reasons.push(WaitReason::EarlierJobs { count: position });
        }

        let at_once = u64::from(lane.concurrency.min(slots));
        let paused_ms = match &lane.pause {
            None => Some(0),
            Some(pause) => {
                pause.until.map(|until| u64::try_from(until.0 - Utc::now().timestamp_millis()).unwrap_or(0))
            }
        };
        let turn_ms = if lane.running < lane.concurrency.min(slots) && position == 0 {
            Some(0)
        } else {
            // Each turn of the lane takes as long as a usual job.
            usual.zip((position + 1).checked_div(at_once)).map(|(usual, turns)| usual * turns.max(1))
        };
        let estimate_ms =
            (slots > 0).then(|| Some(paused_ms?.max(rate_ms.unwrap_or(0)) + turn_ms?)).flatten();
        Ok(Waiting { reasons, position: Some(position), estimate_ms })
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
}
