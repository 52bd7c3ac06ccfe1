//! A job to start tests from.

use super::{Job, JobId, JobState, Kind, Priority, Timestamp, Trigger};

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
        exit_code: None,
        error: None,
        cancel_requested: false,
        revision: 1,
    }
}
