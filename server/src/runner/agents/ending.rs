//! How an attempt of an agent ended: its own last word weighed against the end of its process.

use std::{collections::VecDeque, time::Duration};

use app::model::{AgentOutcome, Timestamp, Usage};

use super::{reason::reason_of, shorten::shorten};

/// How the agent's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Millrace ended it.
    Cut(Cut),
}

/// Why Millrace ended an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Somebody asked for it.
    Canceled,
    /// It ran for as long as it may.
    TimeOver(Duration),
    /// It printed nothing for so long.
    Silent(Duration),
    /// It hit a limit of the sandbox, in words.
    Limit(String),
}

/// What an agent has told of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// By which it can be continued.
    pub session: Option<String>,
    pub model: Option<String>,
    pub version: Option<String>,
    pub usage: Option<Usage>,
    /// What it says it did, in Markdown.
    pub summary: Option<String>,
}

/// How an attempt ended, as far as its agent can tell: whether anything was changed is seen in the working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub verdict: Verdict,
    pub told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The agent says that it has done what it could.
    Finished,
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of the outcomes that are no success.
    pub reason: AgentOutcome,
    /// What happened, for people.
    pub message: String,
    /// When it is worth trying again, where the provider says so.
    pub again_at: Option<Timestamp>,
}

impl Failure {
    pub(super) fn new(reason: AgentOutcome, message: impl AsRef<str>) -> Self {
        Self { reason, message: shorten(message.as_ref()), again_at: None }
    }

    /// A failure of which only the wording tells the reason.
    pub(super) fn worded(message: &str) -> Self {
        Self::new(reason_of(message).unwrap_or(AgentOutcome::AgentError), message)
    }

    pub(super) fn again_at(self, again_at: Option<Timestamp>) -> Self {
        Self { again_at, ..self }
    }
}

/// How many of the last lines on standard error may explain an end without a last word.
const LAST_ERRORS: usize = 12;

/// The agent's own verdict.
pub(super) type LastWord = Result<(), Failure>;

/// What a reader remembers of an attempt.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub told: Told,
    /// What stands at present; an agent may say that it is done and then go on.
    pub last_word: Option<LastWord>,
    errors: VecDeque<String>,
}

impl Memory {
    pub fn note_error(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.errors.len() == LAST_ERRORS {
            self.errors.pop_front();
        }
        self.errors.push_back(shorten(line));
    }

    /// The agent's own last word stands whatever its exit code is, for exit codes lie. Without one it has not finished; and what
    /// was cut off in the middle has not either, for an agent may say that it is done and then go on. Only one that was silent
    /// since then was done.
    /// `explain` reads a reason from its last errors.
    pub fn end(self, exit: Exit, explain: impl FnOnce(&str) -> Option<AgentOutcome>) -> Ending {
        let verdict = match (self.last_word, exit) {
            (_, Exit::Cut(Cut::Canceled)) => failed(AgentOutcome::Killed, "It was stopped."),
            (_, Exit::Cut(Cut::TimeOver(time))) => failed(
                AgentOutcome::Timeout,
                format!("It was stopped because it ran for {}.", humantime::format_duration(time)),
            ),
            (_, Exit::Cut(Cut::Limit(limit))) => failed(AgentOutcome::LimitReached, limit),
            (Some(Ok(())), _) => Verdict::Finished,
            (_, Exit::Cut(Cut::Silent(time))) => failed(
                AgentOutcome::Timeout,
                format!(
                    "It was stopped because it printed nothing for {}.",
                    humantime::format_duration(time)
                ),
            ),
            (Some(Err(failure)), _) => Verdict::Failed(failure),
            (None, Exit::Signal(signal)) => killed(signal),
            (None, Exit::Code(code)) => {
                let errors = Vec::from(self.errors).join("\n");
                match explain(&errors) {
                    Some(reason) => failed(reason, errors),
                    None => without_last_word(code, &errors),
                }
            }
        };
        Ending { verdict, told: self.told }
    }
}

/// What its exit code explains.
fn without_last_word(code: i32, errors: &str) -> Verdict {
    /// The shells' and bubblewrap's way to put a signal into an exit code.
    const BY_SIGNAL: std::ops::RangeInclusive<i32> = 129..=159;
    if BY_SIGNAL.contains(&code) {
        return killed(code - 128);
    }
    let message = format!("It ended with exit code {code} and without saying how it went.");
    failed(AgentOutcome::Crashed, if errors.is_empty() { message } else { format!("{message}\n{errors}") })
}

fn killed(signal: i32) -> Verdict {
    failed(AgentOutcome::Killed, format!("It was ended by signal {signal}."))
}

fn failed(reason: AgentOutcome, message: impl AsRef<str>) -> Verdict {
    Verdict::Failed(Failure::new(reason, message))
}

#[cfg(test)]
mod tests {
    use super::{super::reason::reason_of_errors, *};

    fn reason(last_word: Option<LastWord>, errors: &[&str], exit: Exit) -> Option<AgentOutcome> {
        let mut memory = Memory { last_word, ..Memory::default() };
        errors.iter().for_each(|line| memory.note_error(line));
        match memory.end(exit, reason_of_errors).verdict {
            Verdict::Finished => None,
            Verdict::Failed(failure) => Some(failure.reason),
        }
    }

    #[test]
    fn whatever_was_said_and_however_it_ended_there_is_one_outcome() {
        let time = Duration::from_secs(3600);
        let limit = Cut::Limit("The attempt used more than 4 GiB of memory.".to_owned());
        let (killed, timeout) = (Some(AgentOutcome::Killed), Some(AgentOutcome::Timeout));
        let (crashed, quota) = (Some(AgentOutcome::Crashed), Some(AgentOutcome::Quota));
        let limited = Some(AgentOutcome::LimitReached);
        let refused = || Err(Failure::new(AgentOutcome::Quota, "No quota is left."));
        // By how it ended: after a word of success, after one of failure, after none.
        for (exit, done, failed, nothing) in [
            (Exit::Code(0), None, quota, crashed),
            (Exit::Code(1), None, quota, crashed),
            (Exit::Code(137), None, quota, killed),
            (Exit::Signal(9), None, quota, killed),
            (Exit::Cut(Cut::Silent(time)), None, timeout, timeout),
            (Exit::Cut(Cut::TimeOver(time)), timeout, timeout, timeout),
            (Exit::Cut(limit), limited, limited, limited),
            (Exit::Cut(Cut::Canceled), killed, killed, killed),
        ] {
            assert_eq!(reason(Some(Ok(())), &[], exit.clone()), done, "done, {exit:?}");
            assert_eq!(reason(Some(refused()), &[], exit.clone()), failed, "failed, {exit:?}");
            assert_eq!(reason(None, &[], exit.clone()), nothing, "nothing, {exit:?}");
        }
    }

    #[test]
    fn without_a_last_word_the_errors_explain_the_end() {
        let errors = ["Invalid API key. Please run /login"];
        assert_eq!(reason(None, &errors, Exit::Code(1)), Some(AgentOutcome::Authentication));
        assert_eq!(reason(None, &["Segmentation fault"], Exit::Code(1)), Some(AgentOutcome::Crashed));
    }
}
