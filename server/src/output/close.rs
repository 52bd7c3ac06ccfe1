//! What happens to the output of an attempt whose runner is lost.

use std::time::Duration;

use app::model::{JobId, Line, Stream, Timestamp};

use super::{ZSTD_LEVEL, list::OutputList};
use crate::{
    db::{self, output::Chunk},
    lifecycle::Lifecycle,
};

/// A line of Millrace's own that stands in the place of an attempt's output, as a chunk.
pub fn notice(text: &str) -> std::io::Result<Vec<u8>> {
    let timestamp = Timestamp(chrono::Utc::now().timestamp_millis());
    let line = Line {
        seq: 1,
        timestamp,
        stream: Stream::System,
        line: text.to_owned(),
        continues: false,
        steps: Vec::new(),
    };
    let mut line = serde_json::to_vec(&line)?;
    line.push(b'\n');
    zstd::bulk::compress(&line, ZSTD_LEVEL)
}

/// The lines that the archive does not hold yet.
pub struct Rest {
    pub chunk: Option<Chunk>,
    /// How many lines the attempt has in all.
    pub total: u64,
}

/// Lets nobody append to the attempt's list any more and returns what stands in it beyond the archive. A runner that is
/// alive after all finds the door closed, asks Postgres whether the attempt is still its own, and opens it again if so.
pub async fn close(
    lifecycle: &Lifecycle,
    job: JobId,
    attempt: u32,
    live_for: Duration,
) -> anyhow::Result<Rest> {
    let list = OutputList::new(lifecycle.queue(), job, attempt);
    list.close(live_for).await?;
    let archived = db::output::last_seq(lifecycle.db(), job, attempt).await?;
    let (mut cursor, mut lines) = (archived, Vec::new());
    while let (Some(block), _) = list.read(cursor).await? {
        cursor = block.last;
        lines.extend_from_slice(&block.lines);
    }
    let chunk = if lines.is_empty() {
        None
    } else {
        let lines = zstd::bulk::compress(&lines, ZSTD_LEVEL)?;
        Some(Chunk { first_seq: archived + 1, last_seq: cursor, lines })
    };
    Ok(Rest { chunk, total: cursor })
}
