//! Puts the pieces of long lines together again: an agent's event is one line, however long.

use std::borrow::Cow;

use app::model::Stream;

use crate::output::PrintedLine;

/// A line longer than this is not understood. Agents put whole files into one.
const LIMIT: usize = 4 << 20;

/// Collects pieces until their line is whole, apart for each stream.
#[derive(Debug, Default)]
pub struct WholeLines {
    stdout: Partial,
    stderr: Partial,
}

#[derive(Debug, Default)]
struct Partial {
    text: String,
    is_too_long: bool,
}

impl WholeLines {
    /// The whole line that ends with this piece; nothing while it goes on, when it was too long, and for what Millrace says.
    pub fn add<'a>(&mut self, piece: &'a PrintedLine) -> Option<Cow<'a, str>> {
        let partial = match piece.stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
            Stream::System => return None,
        };
        if !piece.continues && partial.text.is_empty() && !partial.is_too_long {
            return Some(Cow::Borrowed(&piece.text));
        }
        partial.is_too_long |= partial.text.len() + piece.text.len() > LIMIT;
        if partial.is_too_long {
            partial.text = String::new();
        } else {
            partial.text.push_str(&piece.text);
        }
        if piece.continues {
            return None;
        }
        let Partial { text, is_too_long } = std::mem::take(partial);
        (!is_too_long).then_some(Cow::Owned(text))
    }
}

#[cfg(test)]
mod tests {
    use app::model::Timestamp;

    use super::*;

    fn piece(stream: Stream, text: &str, continues: bool) -> PrintedLine {
        PrintedLine { timestamp: Timestamp(0), stream, text: text.to_owned(), continues, steps: Vec::new() }
    }

    #[test]
    fn pieces_of_two_streams_are_kept_apart() {
        let mut lines = WholeLines::default();
        assert_eq!(lines.add(&piece(Stream::Stdout, "a", true)), None);
        assert_eq!(lines.add(&piece(Stream::Stderr, "whole", false)).as_deref(), Some("whole"));
        assert_eq!(lines.add(&piece(Stream::Stdout, "b", true)), None);
        assert_eq!(lines.add(&piece(Stream::Stdout, "c", false)).as_deref(), Some("abc"));
        assert_eq!(lines.add(&piece(Stream::Stdout, "", false)).as_deref(), Some(""));
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_the_next_one_is_read() {
        let mut lines = WholeLines::default();
        let half = "x".repeat(LIMIT / 2 + 1);
        assert_eq!(lines.add(&piece(Stream::Stdout, &half, true)), None);
        assert_eq!(lines.add(&piece(Stream::Stdout, &half, true)), None);
        assert!(lines.stdout.text.is_empty(), "nothing of it is kept");
        assert_eq!(lines.add(&piece(Stream::Stdout, "end", false)), None);
        assert_eq!(lines.add(&piece(Stream::Stdout, "next", false)).as_deref(), Some("next"));
    }
}
