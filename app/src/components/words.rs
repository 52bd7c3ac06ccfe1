//! What people read for what the model says.

use super::time::{rough_text, when_text};
use crate::model::{AgentOutcome, ChangeFigures, Job, JobState, Kind, Timestamp, Trigger};

/// What happens next with a job, as a colleague would say it.
pub fn outlook(job: &Job, now: Option<Timestamp>) -> String {
    match outlook_parts(job) {
        (text, Some(at)) => format!("{text} {}.", when_text(at, now)),
        (text, None) => text,
    }
}

/// What happens next with a job, and the time that the sentence ends with where it has one.
pub fn outlook_parts(job: &Job) -> (String, Option<Timestamp>) {
    let at = job.run_at.filter(|_| job.state == JobState::Scheduled);
    let text = match at {
        Some(_) if job.attempt > 0 => format!("Attempt {} starts", job.attempt + 1),
        Some(_) => "Starts".to_owned(),
        None => standing_outlook(job),
    };
    (text, at)
}

fn standing_outlook(job: &Job) -> String {
    match job.state {
        JobState::Scheduled if job.parent.is_some() && job.run_at.is_none() => {
            "Waiting for the job before it.".to_owned()
        }
        JobState::Scheduled => "Waiting for its time.".to_owned(),
        JobState::Queued if job.attempt > 0 => "In the queue to be tried again.".to_owned(),
        JobState::Queued => "In the queue.".to_owned(),
        JobState::Parked => {
            let agent = job.agent.as_deref().map_or("its agent", agent_title);
            format!("Waiting until the quota of {agent} is there again.")
        }
        JobState::Running if job.cancel_requested => {
            let what = match job.kind {
                Kind::Agent => "agent",
                Kind::Command => "script",
            };
            format!("Stopping. The {what} has a few seconds to end by itself.")
        }
        JobState::Running => stage_text(job.stage.as_deref().unwrap_or("start")),
        JobState::Succeeded => match job.outcome {
            Some(AgentOutcome::NoChange) => "The agent finished and left nothing to commit.",
            Some(_) if job.branch.is_none() => "The agent's work is shown here. It was pushed nowhere.",
            Some(_) => "The agent's work is on its branch.",
            None => "All done.",
        }
        .to_owned(),
        JobState::Failed => "Nothing more happens unless somebody retries it.".to_owned(),
        JobState::Canceled => "It was stopped. Retry it to run it again.".to_owned(),
    }
}

/// How long a running job may still take: by the progress that it reports, or by how long such jobs took.
pub fn remaining(job: &Job, usual_ms: Option<u64>, now: Timestamp) -> Option<String> {
    let elapsed = now.millis_since(job.started_at.filter(|_| job.state == JobState::Running)?);
    if let Some(percent @ 1..) = job.progress {
        let left = elapsed * i64::from(100 - percent.min(100)) / i64::from(percent);
        return Some(format!("{percent} % done, about {} left.", rough_text(left)));
    }
    let usual = i64::try_from(usual_ms?).ok()?;
    Some(if elapsed < usual {
        format!("About {} left, going by earlier jobs.", rough_text(usual - elapsed))
    } else {
        format!("Earlier jobs took {}.", rough_text(usual))
    })
}

/// A text that ends like a sentence.
pub fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// A stage as what is being done.
fn stage_text(stage: &str) -> String {
    match stage {
        "start" => "Starting.".to_owned(),
        "checkout" => "Checking out the repository.".to_owned(),
        "command" => "The script runs. Its exit code decides.".to_owned(),
        "agent" => "The agent works.".to_owned(),
        "publish" => "The agent is done; its work is being committed and published.".to_owned(),
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

/// Millionths of a US dollar as money: `$0.0042`, `$1.20`.
pub fn cost_text(micros: u64) -> String {
    if micros < 10_000 {
        format!("${}.{:04}", micros / 1_000_000, micros % 1_000_000 / 100)
    } else {
        format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000)
    }
}

/// How much was changed: `2 files, +10 −3`.
pub fn changed_text(changes: ChangeFigures) -> String {
    let ChangeFigures { files, additions, deletions, .. } = changes;
    format!("{files} {}, +{additions} −{deletions}", if files == 1 { "file" } else { "files" })
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

/// A pull request by its address: `#12`.
pub fn pull_request_name(address: &str) -> String {
    let number = address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("#{number}")
}

/// An issue, a pull request or a comment by its address: `Issue #3`, `Comment on #3`.
pub fn thread_name(address: &str) -> String {
    let (thread, comment) = address.split_once('#').unwrap_or((address, ""));
    let number = pull_request_name(thread);
    match comment {
        "" if thread.contains("/pull/") => format!("Pull request {number}"),
        "" => format!("Issue {number}"),
        _ => format!("Comment on {number}"),
    }
}

/// An agent's name as people write it.
pub fn agent_title(name: &str) -> &str {
    match name {
        "claude" => "Claude Code",
        "codex" => "Codex",
        "gemini" => "Gemini CLI",
        "qwen" => "Qwen Code",
        "opencode" => "OpenCode",
        "aider" => "Aider",
        "demo" => "Demo agent",
        custom => custom,
    }
}

/// `1,234,567`
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count_text(count), text);
        }
    }

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
    fn a_pull_request_is_called_by_its_number() {
        assert_eq!(pull_request_name("https://github.com/ada/orchard/pull/12"), "#12");
    }

    #[test]
    fn a_thread_is_called_by_what_it_is_and_its_number() {
        for (path, name) in [
            ("issues/3", "Issue #3"),
            ("pull/4", "Pull request #4"),
            ("issues/3#issuecomment-17", "Comment on #3"),
            ("pull/4#discussion_r17", "Comment on #4"),
        ] {
            assert_eq!(thread_name(&format!("https://github.com/ada/orchard/{path}")), name);
        }
    }

    #[test]
    fn a_job_that_is_asked_to_stop_says_what_stops() {
        let job = Job { state: JobState::Running, cancel_requested: true, ..sample::job(1) };
        assert_eq!(outlook(&job, None), "Stopping. The script has a few seconds to end by itself.");
        let job = Job { kind: Kind::Agent, ..job };
        assert_eq!(outlook(&job, None), "Stopping. The agent has a few seconds to end by itself.");
    }

    #[test]
    fn a_parked_job_says_whose_quota_it_waits_for() {
        let job = Job { kind: Kind::Agent, state: JobState::Parked, ..sample::job(1) };
        assert_eq!(outlook(&job, None), "Waiting until the quota of its agent is there again.");
        let job = Job { agent: Some("claude".to_owned()), ..job };
        assert_eq!(outlook(&job, None), "Waiting until the quota of Claude Code is there again.");
    }

    #[test]
    fn the_next_attempt_is_announced_with_its_time() {
        // More than may fail: attempts that were lost do not count, and somebody may have retried it.
        let job = Job {
            state: JobState::Scheduled,
            attempt: 3,
            max_attempts: 3,
            run_at: Some(Timestamp(1_738_332_309_000)),
            ..sample::job(1)
        };
        assert_eq!(outlook(&job, None), "Attempt 4 starts at 14:05 UTC.");
        assert_eq!(outlook(&job, Some(Timestamp(1_738_332_306_000))), "Attempt 4 starts in 3 s.");
    }

    #[test]
    fn what_remains_goes_by_progress_before_it_goes_by_earlier_jobs() {
        let now = Timestamp(60_000);
        let job = Job { state: JobState::Running, started_at: Some(Timestamp(0)), ..sample::job(1) };
        assert_eq!(remaining(&job, None, now), None);
        assert_eq!(remaining(&job, Some(180_000), now).unwrap(), "About 2 min left, going by earlier jobs.");
        assert_eq!(remaining(&job, Some(30_000), now).unwrap(), "Earlier jobs took 30 s.");
        let job = Job { progress: Some(25), ..job };
        assert_eq!(remaining(&job, Some(30_000), now).unwrap(), "25 % done, about 3 min left.");
    }

    #[test]
    fn small_sums_have_more_digits() {
        assert_eq!(cost_text(4_200), "$0.0042");
        assert_eq!(cost_text(1_205_000), "$1.20");
    }

    #[test]
    fn an_unknown_stage_is_shown_as_it_is() {
        assert_eq!(stage_text("sweep"), "Stage: sweep.");
    }
}
