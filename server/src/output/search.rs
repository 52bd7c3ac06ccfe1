//! Searching a whole output, block by block: it is never held as a whole, and a search ends after some seconds.

use std::{borrow::Cow, collections::VecDeque, time::Duration};

use app::{
    components::plain_text,
    model::{OutputMatch, OutputMatches, Step},
};
use memchr::{memchr, memmem, memrchr};
use regex::{Regex, RegexBuilder, bytes};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Block, Pages, list::each_line};

/// A search gives up then, and says that there may be more.
const LONGEST: Duration = Duration::from_secs(5);
/// So many matching lines are counted.
const MOST: u64 = 10_000;
/// How much an excerpt shows before and after a match, in characters.
const BEFORE: usize = 40;
const AFTER: usize = 120;

/// A text to find, in any case.
#[derive(Clone, Debug)]
pub struct Needle {
    text: Regex,
    /// The same for stored lines as they are, where JSON writes this text as it is: most lines need not be parsed then.
    stored: Option<bytes::Regex>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The first matches after this line.
    After(u64),
    /// The last ones before it.
    Before(u64),
}

/// What a stored line holds to be searched.
#[derive(Deserialize)]
struct Searched<'a> {
    seq: u64,
    #[serde(borrow)]
    line: Cow<'a, str>,
    #[serde(default)]
    steps: Vec<Step>,
}

impl Needle {
    /// Nothing for a text that is too long to be looked for.
    pub fn new(text: &str) -> Option<Self> {
        let pattern = regex::escape(text);
        let stored = if text.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\')) {
            None
        } else {
            Some(bytes::RegexBuilder::new(&pattern).case_insensitive(true).build().ok()?)
        };
        Some(Self { text: RegexBuilder::new(&pattern).case_insensitive(true).build().ok()?, stored })
    }

    /// Around the first place where the text is, without the escapes that colour it.
    fn excerpt(&self, text: &str) -> Option<String> {
        let text = if text.contains(char::is_control) { Cow::Owned(plain_text(text)) } else { text.into() };
        let found = self.text.find(&text)?;
        let before = &text[..found.start()];
        let start = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(index, _)| index);
        let end =
            text[found.end()..].char_indices().nth(AFTER).map_or(text.len(), |(at, _)| found.end() + at);
        let cut = |is_cut: bool| if is_cut { "…" } else { "" };
        Some(format!("{}{}{}", cut(start > 0), &text[start..end], cut(end < text.len())))
    }

    fn find_in(&self, block: &Block) -> serde_json::Result<Vec<OutputMatch>> {
        let mut matches = Vec::new();
        match &self.stored {
            // Colours may stand in the middle of a word.
            Some(stored) if memmem::find(&block.lines, b"\\u001b").is_none() => {
                let mut from = 0;
                while let Some(place) = stored.find_at(&block.lines, from) {
                    let start = memrchr(b'\n', &block.lines[..place.start()]).map_or(0, |end| end + 1);
                    let end =
                        memchr(b'\n', &block.lines[start..]).map_or(block.lines.len(), |end| start + end);
                    matches.extend(self.find_in_line(&block.lines[start..end])?);
                    from = (end + 1).min(block.lines.len());
                }
            }
            _ => {
                for line in each_line(&block.lines) {
                    matches.extend(self.find_in_line(line)?);
                }
            }
        }
        Ok(matches)
    }

    fn find_in_line(&self, line: &[u8]) -> serde_json::Result<Option<OutputMatch>> {
        let line: Searched<'_> = serde_json::from_slice(line)?;
        // A step's text is in its line too, but with quotes and line breaks as JSON writes them.
        let excerpt = self
            .excerpt(&line.line)
            .or_else(|| line.steps.iter().flat_map(texts).find_map(|text| self.excerpt(text)));
        Ok(excerpt.map(|excerpt| OutputMatch { seq: line.seq, excerpt }))
    }
}

fn texts(step: &Step) -> [&str; 2] {
    match step {
        Step::Message { text, .. }
        | Step::Thought { text }
        | Step::Retry { text, .. }
        | Step::Result { text, .. } => [text, ""],
        Step::ToolCall { tool, input, .. } => [tool, input],
        Step::ToolResult { output, .. } => [output, ""],
        Step::Usage(_) => [""; 2],
    }
}

impl Pages<'_> {
    /// Up to `limit` matching lines, in order, and how many there are in all.
    pub async fn search(
        &self,
        needle: &Needle,
        direction: Direction,
        limit: usize,
    ) -> anyhow::Result<OutputMatches> {
        let end = Instant::now() + LONGEST;
        let mut found = Found { direction, limit, matches: VecDeque::new(), first: 0, total: 0 };
        let mut cursor = 0;
        loop {
            let blocks = self.reader.read(self.job, self.attempt, cursor).await?;
            let Some(last) = blocks.last() else { break };
            cursor = last.last;
            let needle = needle.clone();
            let find =
                move || blocks.iter().map(|block| needle.find_in(block)).collect::<Result<Vec<_>, _>>();
            for one in tokio::task::spawn_blocking(find).await??.into_iter().flatten() {
                found.add(one);
            }
            if found.total >= MOST || Instant::now() >= end {
                return Ok(found.answer(Some(cursor)));
            }
        }
        Ok(found.answer(None))
    }
}

/// What was found so far.
struct Found {
    direction: Direction,
    limit: usize,
    matches: VecDeque<OutputMatch>,
    /// How many matching lines come before the first of `matches`.
    first: u64,
    total: u64,
}

impl Found {
    fn add(&mut self, one: OutputMatch) {
        let number = self.total;
        self.total += 1;
        match self.direction {
            Direction::After(seq) if one.seq <= seq || self.matches.len() >= self.limit => return,
            Direction::Before(seq) if one.seq >= seq => return,
            Direction::Before(_) if self.matches.len() >= self.limit => {
                self.matches.pop_front();
                self.first += 1;
            }
            Direction::After(_) | Direction::Before(_) if self.matches.is_empty() => self.first = number,
            Direction::After(_) | Direction::Before(_) => {}
        }
        self.matches.push_back(one);
    }

    fn answer(self, searched_to: Option<u64>) -> OutputMatches {
        OutputMatches { matches: self.matches.into(), first: self.first, total: self.total, searched_to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(needle: &str, lines: &str) -> Vec<(u64, String)> {
        let block = Block { first: 1, last: 1, lines: lines.to_owned().into() };
        let matches = Needle::new(needle).unwrap().find_in(&block).unwrap();
        matches.into_iter().map(|one| (one.seq, one.excerpt)).collect()
    }

    #[test]
    fn text_is_found_in_any_case_and_under_its_colours() {
        let lines = "{\"seq\":1,\"line\":\"The \\u001b[31mERR\\u001b[1mOR\\u001b[0m\\tÄ.\"}\n{\"seq\":2,\"line\":\"none\"}\n";
        assert_eq!(found_in("error", lines), [(1, "The ERROR\tÄ.".to_owned())]);
        assert_eq!(found_in("ä.", lines).len(), 1);
        assert_eq!(found_in("e.ror", lines), []);
        assert_eq!(found_in("seq", lines), [], "the words of the storage are no output");
    }

    #[test]
    fn what_an_agent_said_is_found_as_it_is_read() {
        let lines = r#"{"seq":1,"line":"{\"text\":\"a \\\"gate\\\"\"}","steps":[{"type":"message","text":"a \"gate\""}]}"#;
        assert_eq!(found_in("a \"gate\"", &format!("{lines}\n")), [(1, "a \"gate\"".to_owned())]);
    }

    #[test]
    fn an_excerpt_is_short() {
        let excerpt =
            Needle::new("x").unwrap().excerpt(&format!("{}x{}", "ä".repeat(99), "ö".repeat(999))).unwrap();
        assert_eq!(excerpt, format!("…{}x{}…", "ä".repeat(BEFORE), "ö".repeat(AFTER)));
    }

    #[test]
    fn matches_are_taken_from_either_side() {
        let found = |direction| {
            let mut found = Found { direction, limit: 2, matches: VecDeque::new(), first: 0, total: 0 };
            for seq in [10, 20, 30, 40, 50] {
                found.add(OutputMatch { seq, excerpt: String::new() });
            }
            let OutputMatches { matches, first, total, .. } = found.answer(None);
            assert_eq!(total, 5);
            (matches.iter().map(|one| one.seq).collect::<Vec<_>>(), first)
        };
        assert_eq!(found(Direction::After(0)), (vec![10, 20], 0));
        assert_eq!(found(Direction::After(20)), (vec![30, 40], 2));
        assert_eq!(found(Direction::After(45)), (vec![50], 4));
        assert_eq!(found(Direction::Before(50)), (vec![30, 40], 2));
        assert_eq!(found(Direction::Before(20)), (vec![10], 0));
        assert_eq!(found(Direction::Before(10)), (vec![], 0));
    }
}
