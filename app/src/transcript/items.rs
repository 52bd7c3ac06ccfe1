//! Lines with steps as the items of a transcript: a call and its result are one, pieces of a message are joined, calls of one
//! tool that follow each other stand together.

use std::{collections::HashMap, ops::Range};

use super::tool::Purpose;
use crate::{
    components::plain_text,
    model::{Line, Step, Stream, Timestamp, Usage},
};

/// Something that happened, at the line where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub seq: u64,
    pub at: Timestamp,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Message {
        text: String,
        delta: bool,
    },
    Thought(String),
    /// Calls of one tool; of a shell only ever one.
    Calls(Vec<Call>),
    Retry {
        text: String,
        again_at: Option<Timestamp>,
    },
    Result {
        ok: bool,
        text: String,
        usage: Option<Usage>,
    },
    /// What Millrace says, or what went wrong outside of the steps.
    Notices {
        stream: Stream,
        lines: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub seq: u64,
    pub at: Timestamp,
    pub tool: String,
    pub input: String,
    pub result: Option<CallResult>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    pub seq: u64,
    pub at: Timestamp,
    pub exit_code: Option<i32>,
    pub error: bool,
    pub output: String,
}

impl CallResult {
    pub fn failed(&self) -> bool {
        self.error || self.exit_code.is_some_and(|code| code != 0)
    }
}

/// What a run of lines tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub items: Vec<Item>,
    /// What was used up in all, as of these lines.
    pub usage: Option<Usage>,
}

impl Told {
    /// The call that has no result yet, the latest of them.
    pub fn running(&self) -> Option<&Call> {
        self.items.iter().rev().find_map(|item| match &item.what {
            What::Calls(calls) => calls.iter().rev().find(|call| call.result.is_none()),
            _ => None,
        })
    }
}

/// What on a program's error stream is worth a notice; the rest is in the raw output.
const TELLING: [&str; 10] =
    ["error", "warn", "fail", "denied", "refused", "fatal", "panic", "quota", "limit", "timed out"];

/// Reads lines. Items begin in `lines[own]`; those after it only end what began there.
pub fn read(lines: &[Line], own: Range<usize>) -> Told {
    let mut reading = Reading::default();
    for line in &lines[own.clone()] {
        reading.line(line);
    }
    for line in &lines[own.end.min(lines.len())..] {
        reading.end_calls(line);
    }
    reading.told
}

#[derive(Default)]
struct Reading {
    told: Told,
    /// Where each call is that has no result yet: its item, and its place there.
    open: HashMap<String, (usize, usize)>,
}

impl Reading {
    fn line(&mut self, line: &Line) {
        for step in &line.steps {
            self.step(line, step);
        }
        if line.steps.is_empty() {
            self.notice(line);
        }
    }

    fn step(&mut self, line: &Line, step: &Step) {
        let what = match step {
            Step::Message { text, delta } => {
                if let (true, Some(What::Message { text: known, delta: true })) = (*delta, self.last()) {
                    known.push_str(text);
                    return;
                }
                What::Message { text: text.clone(), delta: *delta }
            }
            Step::Thought { text } => {
                if let Some(What::Thought(known)) = self.last() {
                    known.push_str("\n\n");
                    known.push_str(text);
                    return;
                }
                What::Thought(text.clone())
            }
            Step::ToolCall { call, tool, input } => return self.call(line, call, tool, input),
            Step::ToolResult { .. } => return self.result(line, step),
            Step::Usage(usage) => {
                self.told.usage = Some(*usage);
                if let Some(What::Result { usage: of_result, .. }) = self.last() {
                    *of_result = Some(*usage);
                }
                return;
            }
            Step::Retry { text, again_at } => What::Retry { text: text.clone(), again_at: *again_at },
            Step::Result { ok, text } => {
                What::Result { ok: *ok, text: self.without_repeat(text), usage: self.told.usage }
            }
        };
        self.push(line, what);
    }

    fn call(&mut self, line: &Line, id: &str, tool: &str, input: &str) {
        let call = Call {
            id: id.to_owned(),
            seq: line.seq,
            at: line.timestamp,
            tool: tool.to_owned(),
            input: input.to_owned(),
            result: None,
        };
        let place = match self.last() {
            Some(What::Calls(calls)) if calls[0].tool == tool && Purpose::of(tool) != Purpose::Shell => {
                calls.push(call);
                calls.len() - 1
            }
            _ => {
                self.push(line, What::Calls(vec![call]));
                0
            }
        };
        self.open.insert(id.to_owned(), (self.told.items.len() - 1, place));
    }

    /// A result whose call is not among these lines is left out: it belongs to a call that stands before them.
    fn result(&mut self, line: &Line, step: &Step) {
        let Step::ToolResult { call, exit_code, error, output } = step else { return };
        if let Some((item, place)) = self.open.remove(call)
            && let Some(What::Calls(calls)) = self.told.items.get_mut(item).map(|item| &mut item.what)
        {
            calls[place].result = Some(CallResult {
                seq: line.seq,
                at: line.timestamp,
                exit_code: *exit_code,
                error: *error,
                output: output.clone(),
            });
        }
    }

    fn end_calls(&mut self, line: &Line) {
        for step in &line.steps {
            match step {
                Step::ToolResult { .. } => self.result(line, step),
                // The agent uses the id again: what comes now is another call's.
                Step::ToolCall { call, .. } => {
                    self.open.remove(call);
                }
                _ => {}
            }
        }
    }

    fn notice(&mut self, line: &Line) {
        let text = plain_text(&line.line);
        let tells = match line.stream {
            Stream::System => true,
            Stream::Stderr => {
                let text = text.to_ascii_lowercase();
                TELLING.iter().any(|word| text.contains(word))
            }
            Stream::Stdout => false,
        };
        if !tells || text.trim().is_empty() {
            return;
        }
        match self.last() {
            Some(What::Notices { stream, lines }) if *stream == line.stream => lines.push(text),
            _ => self.push(line, What::Notices { stream: line.stream, lines: vec![text] }),
        }
    }

    /// Agents close with the message that they have just given: a card need not say it twice.
    fn without_repeat(&self, text: &str) -> String {
        let said = self.told.items.iter().rev().find_map(|item| match &item.what {
            What::Message { text, .. } => Some(text.trim()),
            _ => None,
        });
        if said == Some(text.trim()) { String::new() } else { text.to_owned() }
    }

    fn last(&mut self) -> Option<&mut What> {
        self.told.items.last_mut().map(|item| &mut item.what)
    }

    fn push(&mut self, line: &Line, what: What) {
        self.told.items.push(Item { seq: line.seq, at: line.timestamp, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that hold these steps, from line 1 on.
    fn lines(steps: impl IntoIterator<Item = Vec<Step>>) -> Vec<Line> {
        let line = |(steps, seq): (Vec<Step>, u64)| Line {
            seq,
            timestamp: Timestamp(seq as i64 * 1000),
            stream: Stream::Stdout,
            line: "{}".to_owned(),
            continues: false,
            steps,
        };
        steps.into_iter().zip(1..).map(line).collect()
    }

    fn call(id: &str, tool: &str) -> Vec<Step> {
        vec![Step::ToolCall { call: id.to_owned(), tool: tool.to_owned(), input: "{}".to_owned() }]
    }

    fn result(id: &str, output: &str) -> Vec<Step> {
        vec![Step::ToolResult {
            call: id.to_owned(),
            exit_code: Some(0),
            error: false,
            output: output.to_owned(),
        }]
    }

    fn message(text: &str, delta: bool) -> Vec<Step> {
        vec![Step::Message { text: text.to_owned(), delta }]
    }

    fn read_all(lines: &[Line]) -> Vec<Item> {
        read(lines, 0..lines.len()).items
    }

    fn calls(item: &Item) -> Vec<(&str, Option<&str>)> {
        let What::Calls(calls) = &item.what else { panic!("{item:?}") };
        calls
            .iter()
            .map(|call| (call.id.as_str(), call.result.as_ref().map(|result| result.output.as_str())))
            .collect()
    }

    #[test]
    fn a_result_joins_its_call_in_whatever_order_they_end() {
        let items =
            read_all(&lines([call("a", "Bash"), call("b", "Bash"), result("b", "2"), result("a", "1")]));
        assert_eq!(items.iter().flat_map(calls).collect::<Vec<_>>(), [("a", Some("1")), ("b", Some("2"))]);
    }

    #[test]
    fn calls_of_one_tool_stand_together_but_never_those_of_a_shell() {
        let items = read_all(&lines([
            call("1", "Read"),
            result("1", ""),
            call("2", "Read"),
            call("3", "Grep"),
            call("4", "Bash"),
            call("5", "Bash"),
        ]));
        let sizes: Vec<_> = items.iter().map(|item| (item.seq, calls(item).len())).collect();
        assert_eq!(sizes, [(1, 2), (4, 1), (5, 1), (6, 1)]);
    }

    #[test]
    fn a_message_ends_a_group() {
        let items = read_all(&lines([call("1", "Read"), message("so", false), call("2", "Read")]));
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn pieces_become_one_message_and_whole_messages_stay_apart() {
        let texts = |steps| -> Vec<String> {
            read_all(&lines(steps))
                .into_iter()
                .filter_map(|item| match item.what {
                    What::Message { text, .. } => Some(text),
                    _ => None,
                })
                .collect()
        };
        assert_eq!(
            texts([message("a ", true), vec![Step::Usage(Usage::default())], message("b", true)]),
            ["a b"]
        );
        assert_eq!(texts([message("a", false), message("b", false), message("c", true)]), ["a", "b", "c"]);
    }

    #[test]
    fn what_began_before_or_begins_after_is_told_elsewhere() {
        let lines = lines([
            call("0", "Read"),
            result("0", ""),
            call("1", "Bash"),
            message("x", false),
            result("1", "ok"),
        ]);
        let told = read(&lines, 1..3);
        assert_eq!(told.items.len(), 1);
        assert_eq!(calls(&told.items[0]), [("1", Some("ok"))]);
    }

    #[test]
    fn an_id_that_is_used_again_belongs_to_the_later_call() {
        let lines = lines([call("1", "Bash"), call("1", "Bash"), result("1", "second")]);
        let told = read(&lines, 0..1);
        assert_eq!(told.running().map(|call| call.id.as_str()), Some("1"));
    }

    #[test]
    fn the_last_word_is_not_said_twice_and_knows_what_was_used() {
        let usage = Usage { input_tokens: 7, ..Usage::default() };
        let end = vec![Step::Result { ok: true, text: "Done.".to_owned() }, Step::Usage(usage)];
        let items = read_all(&lines([message("Done.\n", false), end]));
        assert_eq!(items[1].what, What::Result { ok: true, text: String::new(), usage: Some(usage) });
    }

    #[test]
    fn only_what_matters_outside_of_the_steps_is_a_notice() {
        let mut lines = lines([vec![], vec![], vec![], vec![]]);
        let given = [
            (Stream::System, "Checked out main"),
            (Stream::Stderr, "loading"),
            (Stream::Stderr, "\u{1b}[31mError: no key\u{1b}[0m"),
            (Stream::Stdout, "error"),
        ];
        for (line, (stream, text)) in lines.iter_mut().zip(given) {
            (line.stream, line.line) = (stream, text.to_owned());
        }
        let told: Vec<_> = read_all(&lines).into_iter().map(|item| item.what).collect();
        let notice = |stream, text: &str| What::Notices { stream, lines: vec![text.to_owned()] };
        assert_eq!(
            told,
            [notice(Stream::System, "Checked out main"), notice(Stream::Stderr, "Error: no key")]
        );
    }
}
