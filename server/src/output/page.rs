//! Parts of the output for people and programs that do not follow it live.

use app::model::{JobId, Line, OutputPage, Window};
use memchr::memmem;

use super::{Block, Reader};

/// How many lines a page shows first.
const FIRST_LINES: u64 = 400;
/// How many lines of context stand before the first error.
const BEFORE_ERROR: u64 = 10;
/// How far the first error is looked for, in bytes; in what is longer than that the end says more.
const SEARCH_BYTES: usize = 64 * 1024 * 1024;

/// What compilers, test runners and shells write at the start of a problem, as it stands in stored JSON.
const ERROR_MARKS: [&str; 10] = [
    "error:",
    "error[",
    "ERROR",
    "Error:",
    "FAILED",
    "FAIL:",
    "panicked at",
    "fatal:",
    "Traceback (most recent",
    "not found",
];

/// Reads runs of lines of one attempt.
pub struct Pages<'a> {
    pub reader: &'a Reader,
    pub job: JobId,
    pub attempt: u32,
}

/// A page whose lines are still JSON.
pub struct RawPage {
    pub blocks: Vec<Block>,
    pub total: u64,
    pub next: Option<u64>,
}

impl Pages<'_> {
    /// Up to `limit` lines after `after`.
    pub async fn after(&self, after: u64, limit: u64) -> anyhow::Result<RawPage> {
        let total = self.reader.total(self.job, self.attempt).await?;
        let mut blocks = Vec::new();
        let mut cursor = after;
        while cursor - after < limit {
            let read = self.reader.read(self.job, self.attempt, cursor).await?;
            if read.is_empty() {
                break;
            }
            for block in read {
                let left = limit - (cursor - after);
                if left == 0 {
                    break;
                }
                let block = block.take(left);
                cursor = block.last;
                blocks.push(block);
            }
        }
        // Lines may have arrived since the total was asked for.
        let total = total.max(cursor);
        Ok(RawPage { blocks, total, next: (cursor < total).then_some(cursor) })
    }

    /// The part that a page shows first.
    pub async fn window(&self, window: Window) -> anyhow::Result<OutputPage> {
        let total = self.reader.total(self.job, self.attempt).await?;
        let error = match window {
            Window::FirstError => self.first_error().await?,
            Window::After(_) | Window::Tail => None,
        };
        let after = match (window, error) {
            (Window::After(after), _) => after,
            (_, Some(error)) => error.saturating_sub(BEFORE_ERROR),
            (_, None) => total.saturating_sub(FIRST_LINES),
        };
        let page = self.after(after, FIRST_LINES).await?;
        let mut lines = Vec::new();
        for block in &page.blocks {
            for line in super::list::each_line(&block.lines) {
                lines.push(serde_json::from_slice::<Line>(line)?);
            }
        }
        Ok(OutputPage { lines, total: page.total, next: page.next, error })
    }

    /// The number of the first line that looks like an error.
    async fn first_error(&self) -> anyhow::Result<Option<u64>> {
        let (mut cursor, mut seen) = (0, 0);
        while seen < SEARCH_BYTES {
            let blocks = self.reader.read(self.job, self.attempt, cursor).await?;
            let Some(last) = blocks.last() else { break };
            cursor = last.last;
            for block in blocks {
                if let Some(seq) = first_error(&block) {
                    return Ok(Some(seq));
                }
                seen += block.lines.len();
            }
        }
        Ok(None)
    }
}

/// The number of the block's first line that looks like an error.
fn first_error(block: &Block) -> Option<u64> {
    let at = ERROR_MARKS.iter().filter_map(|mark| memmem::find(&block.lines, mark.as_bytes())).min()?;
    let before = memchr::memchr_iter(b'\n', &block.lines[..at]).count();
    Some(block.first + before as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_looks_like_an_error_is_found() {
        let lines = b"{\"seq\":3,\"line\":\"ok\"}\n{\"seq\":4,\"line\":\"error[E0425]: x\"}\n{\"seq\":5,\"line\":\"error:\"}\n";
        let block = Block { first: 3, last: 5, lines: lines.to_vec().into() };
        assert_eq!(first_error(&block), Some(4));
        assert_eq!(first_error(&block.take(1)), None);
    }
}
