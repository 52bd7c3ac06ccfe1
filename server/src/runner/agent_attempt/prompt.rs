//! What a follow-up's agent is told when it cannot go on with the session of the job before.

use app::model::JobId;

use super::super::RunningAttempt;
use crate::db::{self, agent_runs::Exchange};

/// How many exchanges are told.
const EXCHANGES: i64 = 10;
/// How much of each text.
const CHARS: usize = 4000;

/// The prompt, after what was said in the conversation so far.
pub(super) async fn with_what_was_said(
    attempt: &RunningAttempt,
    thread: JobId,
    asked: &str,
) -> anyhow::Result<String> {
    let (db, job) = (attempt.lifecycle.db(), attempt.job.id);
    let said = attempt.patiently(|| db::agent_runs::exchanges_before(db, thread, job, EXCHANGES)).await?;
    Ok(after(&said, asked))
}

fn after(said: &[Exchange], asked: &str) -> String {
    if said.is_empty() {
        return asked.to_owned();
    }
    let mut text = "This goes on with earlier work in this repository. What was said before:\n".to_owned();
    for Exchange { prompt, summary } in said {
        text += &format!("\n<request>\n{}\n</request>\n", shortened(prompt));
        if let Some(summary) = summary {
            text += &format!("<answer>\n{}\n</answer>\n", shortened(summary));
        }
    }
    text + "\nThe repository holds the result of that. Now do this:\n\n" + asked
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_comes_first_and_what_is_asked_last() {
        let said = [
            Exchange { prompt: "Count the files".to_owned(), summary: Some("There are 3.".to_owned()) },
            Exchange { prompt: "x".repeat(2 * CHARS), summary: None },
        ];
        let text = after(&said, "Now the folders");
        assert!(text.contains("Count the files") && text.contains("There are 3."));
        assert!(text.ends_with("\n\nNow the folders"));
        assert!(text.len() < 2 * CHARS);
        assert_eq!(after(&[], "Now the folders"), "Now the folders");
    }
}
