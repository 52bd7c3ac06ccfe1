//! Answers as people read them: columns, times, colours. Colours are taken out again where the output is no terminal.

use std::fmt::Write as _;

use app::model::{AttemptState, Job, JobDetail, JobState, Timestamp};
use chrono::{DateTime, Local, Utc};

const RESET: &str = "\x1b[0m";
pub(super) const DIM: &str = "\x1b[2m";

/// Text between a colour's escape sequence and its end.
pub(super) fn coloured(colour: &str, text: &str) -> String {
    format!("{colour}{text}{RESET}")
}

fn colour(state: JobState) -> &'static str {
    match state {
        JobState::Succeeded => "\x1b[32m",
        JobState::Failed => "\x1b[31m",
        JobState::Running => "\x1b[36m",
        JobState::Scheduled | JobState::Queued | JobState::Parked => "\x1b[33m",
        JobState::Canceled => DIM,
    }
}

/// Jobs as a table.
pub(super) fn table(jobs: &[Job], now: DateTime<Utc>) -> String {
    let rows: Vec<[String; 5]> = jobs
        .iter()
        .map(|job| {
            let asked = ago(job.created_at, now);
            [job.id.short(), job.state.to_string(), job.kind.to_string(), asked, job.repository.clone()]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for (job, row) in jobs.iter().zip(&rows) {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padded = format!("{cell:<width$}  ");
            text += &if column == 1 { coloured(colour(job.state), &padded) } else { padded };
        }
        text += &job.title;
        text.push('\n');
    }
    text
}

/// Everything about one job.
pub(super) fn detail(detail: &JobDetail, page: &str, now: DateTime<Utc>) -> String {
    let job = &detail.job;
    let mut text = String::new();
    let mut fact = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<11}{value}");
    };
    fact("job", job.id.to_string());
    fact("title", job.title.clone());
    fact("state", coloured(colour(job.state), job.state.as_str()));
    if let Some(error) = &job.error {
        fact("error", error.clone());
    }
    if let Some(stage) = &job.stage {
        let progress = job.progress.map(|percent| format!(", {percent} %")).unwrap_or_default();
        fact("stage", format!("{stage}{progress}"));
    }
    fact("kind", format!("{}, priority {}", job.kind, job.priority));
    let git_ref = job.git_ref.as_ref().map(|git_ref| format!(" at {git_ref}")).unwrap_or_default();
    fact("repository", format!("{}{git_ref}", job.repository));
    let by = job.created_by.as_ref().map(|login| format!(" by {login}")).unwrap_or_default();
    fact("asked for", format!("{}{by} ({})", date(job.created_at), job.trigger));
    if let Some(run_at) = job.run_at.filter(|_| job.state == JobState::Scheduled) {
        fact("starts", date(run_at));
    }
    fact("page", page.to_owned());
    for attempt in &detail.attempts {
        let end = attempt.finished_at.map_or(Timestamp(now.timestamp_millis()), |end| end);
        let took = duration(end.millis_since(attempt.started_at));
        let error = attempt.error.as_ref().map(|error| format!(". {error}")).unwrap_or_default();
        let state = match attempt.state {
            AttemptState::Running => "runs",
            state => state.as_str(),
        };
        fact(
            &format!("attempt {}", attempt.attempt),
            format!("{state} on {}, {took}{error}", attempt.runner),
        );
    }
    if let Some(asked) = detail.script.as_ref().or(detail.prompt.as_ref()) {
        text.push('\n');
        text += asked;
        if !asked.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

pub(super) fn date(time: Timestamp) -> String {
    match DateTime::from_timestamp_millis(time.0) {
        Some(time) => time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        None => time.0.to_string(),
    }
}

fn ago(time: Timestamp, now: DateTime<Utc>) -> String {
    format!("{} ago", duration(Timestamp(now.timestamp_millis()).millis_since(time)))
}

/// The largest unit that fits.
fn duration(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        let told = [0, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000].map(duration);
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "1 d"]);
    }
}
