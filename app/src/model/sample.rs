//! Values to start tests from.

use super::{Job, JobId, JobState, Kind, Lane, Pause, Priority, Timestamp, Trigger};

/// A queued job; a greater number means a later one.
pub fn job(number: u64) -> Job {
    Job {
        id: JobId::from_uuid(uuid::Uuid::from_u64_pair(number, number)),
        kind: Kind::Command,
        state: JobState::Queued,
        priority: Priority::Normal,
        attempt: 0,
        max_attempts: 1,
        title: "cargo test".to_owned(),
        repository: "https://example.org/project.git".to_owned(),
        git_ref: None,
        agent: None,
        model: None,
        trigger: Trigger::Dashboard,
        created_by: None,
        created_at: Timestamp(1_700_000_000_000),
        queued_at: None,
        started_at: None,
        finished_at: None,
        run_at: None,
        stage: None,
        progress: None,
        exit_code: None,
        outcome: None,
        branch: None,
        parent: None,
        pull_request: None,
        thread: None,
        error: None,
        cancel_requested: false,
        revision: 1,
    }
}

/// A lane with one job that runs and two that wait.
pub fn lane(kind: Kind) -> Lane {
    Lane {
        kind,
        concurrency: 5,
        rate: Some(50),
        started: 1,
        running: 1,
        waiting: 2,
        scheduled: 0,
        depth: Vec::new(),
        pause: None,
        quotas: Vec::new(),
    }
}

pub fn pause() -> Pause {
    Pause {
        reason: "quota used up".to_owned(),
        by: None,
        since: Timestamp(1_738_328_709_000),
        until: Some(Timestamp(1_738_332_309_000)),
    }
}
