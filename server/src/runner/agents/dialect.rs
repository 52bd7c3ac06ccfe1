//! What the readers of all agents have in common; each only has to understand its lines.

use app::model::{AgentOutcome, Step, Stream, Timestamp};
use serde_json::Value;

use super::{
    Reader,
    ending::{Ending, Exit, LastWord, Memory, Told},
    reason::reason_of_errors,
    shorten::shorten,
};

/// How one agent talks on its standard output.
pub(super) trait Dialect: Send {
    /// What a line means, noting in `memory` what outlasts it.
    fn understand(&mut self, at: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step>;

    /// The agent's verdict, where how it ended has a say in it too.
    fn last_word(&self, said: Option<LastWord>, _exit: &Exit) -> Option<LastWord> {
        said
    }

    /// Why it ended without a verdict, as far as its last errors tell.
    fn explained_by(&self, errors: &str) -> Option<AgentOutcome> {
        reason_of_errors(errors)
    }
}

/// A reader of an agent's dialect.
pub(super) struct Listener<D> {
    dialect: D,
    memory: Memory,
}

impl<D: Dialect> Listener<D> {
    pub fn new(dialect: D) -> Self {
        Self { dialect, memory: Memory::default() }
    }
}

impl<D: Dialect> Reader for Listener<D> {
    fn read(&mut self, stream: Stream, at: Timestamp, line: &str) -> Vec<Step> {
        match stream {
            Stream::Stdout => self.dialect.understand(at, line, &mut self.memory),
            Stream::Stderr => {
                self.memory.note_error(line);
                Vec::new()
            }
            Stream::System => Vec::new(),
        }
    }

    fn told(&self) -> &Told {
        &self.memory.told
    }

    fn end(self: Box<Self>, exit: Exit) -> Ending {
        let Self { dialect, mut memory } = *self;
        memory.last_word = dialect.last_word(memory.last_word.take(), &exit);
        memory.end(exit, |errors| dialect.explained_by(errors))
    }
}

/// The JSON object that a line is, if it is one.
pub(super) fn event(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

/// The text at a JSON pointer; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The text at a JSON pointer, shortened when it is long.
pub(super) fn short_text(value: &Value, pointer: &str) -> String {
    shorten(text(value, pointer))
}

/// The same, where it says anything.
pub(super) fn some_text(value: &Value, pointer: &str) -> Option<String> {
    Some(short_text(value, pointer)).filter(|text| !text.is_empty())
}

/// The JSON at a key as text, shortened when it is long.
pub(super) fn short_json(value: &Value, key: &str) -> String {
    shorten(&value.get(key).map(Value::to_string).unwrap_or_default())
}

pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// Dollars as millionths of one.
pub(super) fn micros(dollars: f64) -> u64 {
    // A cast from a float stops at the ends of the integer's range.
    (dollars * 1e6).round() as u64
}
