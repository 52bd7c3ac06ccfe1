//! What is known of an attempt because an agent made it.

use crate::{
    components::words::{changed_text, cost_text},
    model::{Attempt, Job, Protection, Usage},
};

/// Names and values of an attempt; what is not known has none.
pub fn agent_facts(job: &Job, attempt: Option<&Attempt>) -> [(&'static str, Option<String>); 8] {
    let run = attempt.and_then(|attempt| attempt.agent.as_ref());
    let version = run.and_then(|run| run.version.as_deref()).unwrap_or_default();
    let agent = job.agent.as_ref().map(|agent| format!("{agent} {version}").trim_end().to_owned());
    let model = run.and_then(|run| run.model.clone()).or_else(|| job.model.clone());
    let protection = run.and_then(|run| run.protection).map(|protection| match protection {
        Protection::Sandbox => "sandbox".to_owned(),
        Protection::None => "none: it could reach this machine".to_owned(),
    });
    // It is noted before the push, which may have failed.
    let head = run.filter(|run| run.branch.is_some()).and_then(|run| run.head.as_ref());
    let changes = run.and_then(|run| run.changes);
    let usage = run.and_then(|run| run.usage);
    [
        ("Agent", agent),
        ("Model", model),
        ("Protection", protection),
        ("Published", head.map(|commit| commit.chars().take(12).collect())),
        ("Changed", changes.map(changed_text)),
        ("Commits", changes.map(|changes| changes.commits.to_string())),
        ("Tokens", usage.map(tokens_text)),
        ("Cost", usage.and_then(|usage| usage.cost_micros).map(cost_text)),
    ]
}

fn tokens_text(usage: Usage) -> String {
    let Usage { input_tokens, cached_tokens, output_tokens, .. } = usage;
    let cached =
        if cached_tokens > 0 { format!(" ({} cached)", count_text(cached_tokens)) } else { String::new() };
    format!("{} read{cached}, {} written", count_text(input_tokens), count_text(output_tokens))
}

/// As many digits as somebody reads: `950`, `12.3 k`, `1.2 M`.
fn count_text(count: u64) -> String {
    match count {
        ..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}.{} k", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{} M", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_words() {
        let usage =
            Usage { input_tokens: 1_250_000, cached_tokens: 12_340, output_tokens: 950, cost_micros: None };
        assert_eq!(tokens_text(usage), "1.2 M read (12.3 k cached), 950 written");
    }
}
