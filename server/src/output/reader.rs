//! Reading an attempt's lines by one cursor, wherever they are.

use std::{io::Read, sync::Arc};

use app::model::{JobId, LastLine, Line};
use bytes::Bytes;
use memchr::memchr_iter;
use sqlx::PgPool;

use super::list::OutputList;
use crate::{
    db::{self, output::Chunk},
    queue::Queue,
};

/// How many chunks of the archive one read takes.
const CHUNKS: i64 = 4;

/// The longest text that the board shows as a job's newest line, in characters.
const LAST_LINE_CHARS: usize = 160;

/// Consecutive lines as they are stored: JSON, each ended by a line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub first: u64,
    pub last: u64,
    pub lines: Bytes,
}

impl Block {
    /// What comes after `after`, without copying; nothing when the block ends before it.
    pub fn after(self, after: u64) -> Option<Self> {
        if after < self.first {
            return Some(self);
        }
        if after >= self.last {
            return None;
        }
        let skip = usize::try_from(after - self.first).ok()?;
        let start = memchr_iter(b'\n', &self.lines).nth(skip)? + 1;
        Some(Self { first: after + 1, last: self.last, lines: self.lines.slice(start..) })
    }

    /// At most `count` lines from the start.
    pub fn take(self, count: u64) -> Self {
        let have = self.last + 1 - self.first;
        if count >= have {
            return self;
        }
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_sub(1))
            .and_then(|index| memchr_iter(b'\n', &self.lines).nth(index))
            .map_or(0, |end| end + 1);
        Self { first: self.first, last: self.first + count - 1, lines: self.lines.slice(..end) }
    }

    /// The inside of a JSON array of the lines. No line holds a line break of its own, JSON escapes them.
    pub fn as_json_items(&self) -> Vec<u8> {
        let mut items = self.lines[..self.lines.len().saturating_sub(1)].to_vec();
        for byte in &mut items {
            if *byte == b'\n' {
                *byte = b',';
            }
        }
        items
    }
}

impl TryFrom<Chunk> for Block {
    type Error = std::io::Error;

    fn try_from(chunk: Chunk) -> Result<Self, Self::Error> {
        let mut lines = Vec::with_capacity(chunk.lines.len() * 8);
        zstd::stream::read::Decoder::new(chunk.lines.as_slice())?.read_to_end(&mut lines)?;
        Ok(Self { first: chunk.first_seq, last: chunk.last_seq, lines: lines.into() })
    }
}

/// Reads output from the live list and the archive.
#[derive(Clone)]
pub struct Reader {
    db: PgPool,
    queue: Queue,
}

impl Reader {
    pub fn new(db: PgPool, queue: Queue) -> Arc<Self> {
        Arc::new(Self { db, queue })
    }

    /// The next lines after `after`, in order and without a gap; empty at the present end.
    ///
    /// The list is asked first, because most readers are at the end; what it does not hold is in the archive. So Redis may
    /// forget everything and only the last second of a job that runs is late.
    pub async fn read(&self, job: JobId, attempt: u32, after: u64) -> anyhow::Result<Vec<Block>> {
        let list = OutputList::new(&self.queue, job, attempt).read(after).await;
        let is_at_end = match list {
            Ok((Some(block), _)) => return Ok(vec![block]),
            Ok((None, last)) => last > 0 && last == after,
            Err(error) => {
                tracing::debug!(job.id = %job, attempt, %error, "live lines cannot be read");
                false
            }
        };
        match self.read_archived(job, attempt, after).await {
            // While Postgres is away the list alone says where the end is.
            Err(error) if is_at_end => {
                tracing::debug!(job.id = %job, attempt, error = format!("{error:#}"), "the archive cannot be read");
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// The next lines after `after` if the live list holds them.
    pub async fn read_live(&self, job: JobId, attempt: u32, after: u64) -> redis::RedisResult<Option<Block>> {
        Ok(OutputList::new(&self.queue, job, attempt).read(after).await?.0)
    }

    /// The next lines after `after` that the archive holds: all there are of an attempt that has ended, and read faster
    /// than from the list.
    pub async fn read_archived(&self, job: JobId, attempt: u32, after: u64) -> anyhow::Result<Vec<Block>> {
        let chunks = db::output::after(&self.db, job, attempt, after, CHUNKS).await?;
        let mut blocks = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            blocks.extend(Block::try_from(chunk)?.after(after));
        }
        Ok(blocks)
    }

    /// How many lines the attempt has up to now.
    pub async fn total(&self, job: JobId, attempt: u32) -> anyhow::Result<u64> {
        if let Some(lines) = db::attempts::final_line_count(&self.db, job, attempt).await? {
            return Ok(lines);
        }
        match OutputList::new(&self.queue, job, attempt).read(u64::MAX >> 12).await {
            Ok((_, last)) if last > 0 => Ok(last),
            _ => Ok(db::output::last_seq(&self.db, job, attempt).await?),
        }
    }

    /// The newest line of a running attempt for the board; nothing when there is none, or Redis is away.
    pub async fn last_line(&self, job: JobId, attempt: u32) -> Option<LastLine> {
        let line = OutputList::new(&self.queue, job, attempt).last_line().await.ok()??;
        let line: Line = serde_json::from_slice(&line).ok()?;
        Some(LastLine { id: job, line: plain(&line.line) })
    }
}

/// A line without ANSI sequences and control characters, shortened.
pub(super) fn plain(line: &str) -> String {
    // What a progress bar shows last stands after the last carriage return.
    let shown = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let mut text = String::new();
    let mut chars = shown.chars();
    while let Some(char) = chars.next() {
        match char {
            // A control sequence ends with a letter; others are one character long.
            '\x1b' => {
                if chars.next() == Some('[') {
                    chars.by_ref().find(|char| ('@'..='~').contains(char));
                }
            }
            char if char.is_control() => {}
            char => text.push(char),
        }
    }
    text.trim().chars().take(LAST_LINE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block() -> Block {
        Block { first: 5, last: 7, lines: Bytes::from_static(b"{\"seq\":5}\n{\"seq\":6}\n{\"seq\":7}\n") }
    }

    #[test]
    fn a_block_is_cut_at_the_cursor() {
        assert_eq!(block().after(3), Some(block()));
        assert_eq!(block().after(5).unwrap().lines, "{\"seq\":6}\n{\"seq\":7}\n");
        assert_eq!(block().after(6).unwrap().first, 7);
        assert_eq!(block().after(7), None);
    }

    #[test]
    fn a_block_is_cut_at_the_limit() {
        assert_eq!(block().take(9), block());
        let two = block().take(2);
        assert_eq!((two.first, two.last, &two.lines[..]), (5, 6, &b"{\"seq\":5}\n{\"seq\":6}\n"[..]));
    }

    #[test]
    fn a_block_is_json_without_being_parsed() {
        assert_eq!(block().as_json_items(), b"{\"seq\":5},{\"seq\":6},{\"seq\":7}");
    }

    #[test]
    fn the_boards_line_is_plain_text() {
        assert_eq!(plain("10%\r 50%\r\x1b[32mdone\x1b[0m\u{7}\r"), "done");
        assert_eq!(plain(&"x".repeat(1000)).len(), LAST_LINE_CHARS);
    }

    /// Lines `numbers` as a block; `None` for none.
    fn block_of(numbers: std::ops::RangeInclusive<u64>) -> Option<Block> {
        let (first, last) = (*numbers.start(), *numbers.end());
        let lines: String = numbers.map(|seq| format!("{{\"seq\":{seq}}}\n")).collect();
        (first <= last).then(|| Block { first, last, lines: lines.into() })
    }

    proptest! {
        #[test]
        fn a_block_is_what_lies_between_any_cursor_and_limit(
            first in 1_u64..50,
            length in 1_u64..50,
            after in 0_u64..120,
            count in 1_u64..60,
        ) {
            let last = first + length - 1;
            let whole = block_of(first..=last).unwrap();

            prop_assert_eq!(whole.clone().after(after), block_of(first.max(after + 1)..=last));
            prop_assert_eq!(Some(whole.take(count)), block_of(first..=last.min(first + count - 1)));
        }
    }
}
