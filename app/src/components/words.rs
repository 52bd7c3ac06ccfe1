//! What people read for what the model says.

use super::time::utc_text;
use crate::model::{Job, JobState, Trigger};

/// What happens next with a job, as a colleague would say it.
pub fn outlook(job: &Job) -> String {
    match job.state {
        JobState::Scheduled => scheduled_outlook(job),
        JobState::Queued if job.attempt > 0 => "Waiting for a free slot to be tried again.".to_owned(),
        JobState::Queued => "Waiting for a free slot.".to_owned(),
        JobState::Parked => "Waiting until the quota of its lane is there again.".to_owned(),
        JobState::Running if job.cancel_requested => {
            "Stopping. The script has five seconds to end by itself.".to_owned()
        }
        JobState::Running => stage_text(job.stage.as_deref().unwrap_or("start")),
        JobState::Succeeded => "All done.".to_owned(),
        JobState::Failed => "Nothing more happens unless somebody retries it.".to_owned(),
        JobState::Canceled => "It was stopped. Retry it to run it again.".to_owned(),
    }
}

fn scheduled_outlook(job: &Job) -> String {
    let Some(at) = job.run_at.map(utc_text) else {
        return "Waiting for its time.".to_owned();
    };
    if job.attempt > 0 {
        format!("Attempt {} of {} starts at {at}.", job.attempt + 1, job.max_attempts)
    } else {
        format!("Starts at {at}.")
    }
}

/// A stage as what is being done.
fn stage_text(stage: &str) -> String {
    match stage {
        "start" => "Starting.".to_owned(),
        "checkout" => "Checking out the repository; the script runs next.".to_owned(),
        "command" => "The script runs. Its exit code decides.".to_owned(),
        other => format!("Stage: {other}."),
    }
}

pub const fn trigger_name(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Webhook => "webhook",
        Trigger::Dashboard => "dashboard",
        Trigger::Api => "API",
        Trigger::Schedule => "schedule",
        Trigger::FollowUp => "follow-up",
    }
}

/// The part of a repository's address that people call it by: `owner/name`.
pub fn repository_name(address: &str) -> &str {
    let name = address.trim_end_matches('/').trim_end_matches(".git");
    let mut slashes = name.rmatch_indices(['/', ':']).map(|(index, _)| index);
    let _ = slashes.next();
    match slashes.next() {
        Some(index) => &name[index + 1..],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn a_repository_is_called_by_its_owner_and_name() {
        for (address, name) in [
            ("https://github.com/rust-lang/log.git", "rust-lang/log"),
            ("git@github.com:rust-lang/log.git", "rust-lang/log"),
            ("ssh://git@example.org:22/team/tool/", "team/tool"),
            ("/srv/git/tool.git", "git/tool"),
            ("tool", "tool"),
            ("", ""),
        ] {
            assert_eq!(repository_name(address), name);
        }
    }

    #[test]
    fn a_job_that_is_asked_to_stop_says_so() {
        let job = Job { state: JobState::Running, cancel_requested: true, ..sample::job(1) };
        assert!(outlook(&job).starts_with("Stopping"));
    }

    #[test]
    fn the_next_attempt_is_announced_with_its_time() {
        let job = Job {
            state: JobState::Scheduled,
            attempt: 1,
            max_attempts: 3,
            run_at: Some(crate::model::Timestamp(1_738_332_309_000)),
            ..sample::job(1)
        };
        assert_eq!(outlook(&job), "Attempt 2 of 3 starts at 31 Jan 2025, 14:05:09 UTC.");
    }

    #[test]
    fn an_unknown_stage_is_shown_as_it_is() {
        assert_eq!(stage_text("publish"), "Stage: publish.");
    }
}
