//! Whether an attempt's lines are all there, once each, in order, and its own.

use app::model::{Line, Stream};

use crate::act;

/// Reads one attempt's output line by line.
#[derive(Clone, Debug)]
pub struct Output {
    attempt: u32,
    /// The last line's number.
    pub last: u64,
    /// How many lines the job's process printed.
    pub printed: u64,
    /// The first thing that was wrong.
    pub wrong: Option<String>,
}

impl Output {
    pub fn of(attempt: u32) -> Self {
        Self { attempt, last: 0, printed: 0, wrong: None }
    }

    pub fn add(&mut self, line: &Line) {
        if line.seq != self.last + 1 {
            self.complain(format!("line {} follows line {}", line.seq, self.last));
        }
        self.last = line.seq;
        if line.stream == Stream::Stdout {
            self.printed += 1;
            if line.line != act::line(self.attempt, self.printed) {
                self.complain(format!(
                    "line {} is `{}`, the {}th that was printed",
                    line.seq, line.line, self.printed
                ));
            }
        }
    }

    fn complain(&mut self, what: String) {
        self.wrong.get_or_insert_with(|| format!("attempt {}: {what}", self.attempt));
    }
}
