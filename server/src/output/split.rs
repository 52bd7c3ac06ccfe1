//! Cuts a stream of bytes into lines of bounded length.

use std::borrow::Cow;

use memchr::memchr;

/// Collects what a child prints until a line is whole, or too long to wait for its end.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    partial: Vec<u8>,
}

/// A line, or a piece of one that is longer than the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Bytes that are not UTF-8 are shown as U+FFFD.
    pub text: Cow<'a, str>,
    /// The line goes on in the next piece.
    pub continues: bool,
}

impl Splitter {
    /// `limit` is the longest piece in bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: Vec::new() }
    }

    /// Takes the next bytes and hands out every piece that is complete with them.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Piece<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && line.len() <= self.limit {
                each(whole(line));
            } else {
                self.extend(line, &mut each);
                each(whole(&self.partial));
                self.partial.clear();
            }
            bytes = rest;
        }
        self.extend(bytes, &mut each);
    }

    /// Hands out what is left when the stream ends without a line break.
    pub fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) {
        if !self.partial.is_empty() {
            each(whole(&self.partial));
            self.partial.clear();
        }
    }

    /// Appends to the partial line and hands out pieces while it is longer than the limit.
    fn extend(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) {
        while self.partial.len() + bytes.len() > self.limit {
            let room = self.limit - self.partial.len();
            self.partial.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            let end = char_boundary(&self.partial);
            each(Piece { text: String::from_utf8_lossy(&self.partial[..end]), continues: true });
            self.partial.drain(..end);
        }
        self.partial.extend_from_slice(bytes);
    }
}

fn whole(line: &[u8]) -> Piece<'_> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Piece { text: String::from_utf8_lossy(line), continues: false }
}

/// The end of the last whole character, so that a cut does not split one in two; the very end for what is not UTF-8.
fn char_boundary(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(4);
    let last_start = (tail..bytes.len()).rev().find(|index| bytes[*index] & 0xC0 != 0x80);
    match last_start {
        Some(start) if start > 0 && char_length(bytes[start]) > bytes.len() - start => start,
        _ => bytes.len(),
    }
}

fn char_length(first: u8) -> usize {
    match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(limit: usize, parts: &[&[u8]]) -> Vec<(String, bool)> {
        let mut splitter = Splitter::new(limit);
        let mut pieces = Vec::new();
        for part in parts {
            splitter.feed(part, |piece| pieces.push((piece.text.into_owned(), piece.continues)));
        }
        splitter.finish(|piece| pieces.push((piece.text.into_owned(), piece.continues)));
        pieces
    }

    fn whole(lines: &[&str]) -> Vec<(String, bool)> {
        lines.iter().map(|line| ((*line).to_owned(), false)).collect()
    }

    #[test]
    fn lines_are_whole_wherever_the_reads_cut_them() {
        assert_eq!(split(80, &[b"on", b"e\ntwo\r\n", b"\nend"]), whole(&["one", "two", "", "end"]));
    }

    #[test]
    fn a_long_line_is_cut_into_marked_pieces_and_memory_stays_bounded() {
        let pieces = split(4, &[b"abcdefghij\nk"]);
        let expected = [("abcd", true), ("efgh", true), ("ij", false), ("k", false)];
        assert_eq!(pieces, expected.map(|(text, continues)| (text.to_owned(), continues)));

        let mut splitter = Splitter::new(16);
        for _ in 0..10_000 {
            splitter.feed(&[b'x'; 1000], |_| {});
        }
        assert!(splitter.partial.capacity() < 4096);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_one_piece() {
        assert_eq!(split(4, &[b"abcd\n"]), whole(&["abcd"]));
        assert_eq!(split(4, &[b"ab", b"cd", b"\n"]), whole(&["abcd"]));
    }

    #[test]
    fn a_cut_does_not_split_a_character() {
        let text = "aé€😀".repeat(50);
        let pieces = split(7, &[text.as_bytes()]);
        assert!(pieces.iter().all(|(piece, _)| !piece.contains('\u{FFFD}')));
        assert_eq!(pieces.iter().map(|(piece, _)| piece.as_str()).collect::<String>(), text);
    }

    #[test]
    fn binary_garbage_becomes_readable_text() {
        assert_eq!(split(80, &[b"\xff\xfe\x00\n"]), whole(&["\u{FFFD}\u{FFFD}\u{0}"]));
    }

    /// Bytes as programs print them: text, line breaks and now and then anything.
    fn printed() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => "[a-z]{1,9}".prop_map(String::into_bytes),
            3 => "\\PC{1,5}".prop_map(String::into_bytes),
            3 => Just(b"\n".to_vec()),
            1 => Just(b"\r\n".to_vec()),
            2 => any::<Vec<u8>>(),
        ];
        prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn where_the_reads_cut_makes_no_difference(
            bytes in printed(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
            limit in 4_usize..40,
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();

            prop_assert_eq!(split(limit, &parts), split(limit, &[&bytes]));
        }

        #[test]
        fn text_comes_out_as_it_went_in(text in "(\\PC|\n){0,200}", limit in 4_usize..40) {
            let pieces = split(limit, &[text.as_bytes()]);

            prop_assert!(pieces.iter().all(|(piece, _)| piece.len() <= limit));
            let joined: String =
                pieces.iter().map(|(piece, continues)| format!("{piece}{}", if *continues { "" } else { "\n" })).collect();
            let ended = if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" };
            prop_assert_eq!(joined, ended);
        }
    }
}
