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

/// The lines of an attempt that the archive does not hold yet: after a time without Postgres there can be very many.
pub struct Rest {
    list: OutputList,
    /// The last line that was archived or taken.
    cursor: u64,
}

impl Rest {
    /// The next of them, some at a time.
    pub async fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let (Some(block), _) = self.list.read(self.cursor).await? else { return Ok(None) };
        self.cursor = block.last;
        let lines = zstd::bulk::compress(&block.lines, ZSTD_LEVEL)?;
        Ok(Some(Chunk { first_seq: block.first, last_seq: block.last, lines }))
    }

    /// How many lines the attempt has in all, once all were taken.
    pub fn total(&self) -> u64 {
        self.cursor
    }
}

/// Lets Redis keep the lines of an attempt that has ended for this long from now on.
pub async fn keep(lifecycle: &Lifecycle, job: JobId, attempt: u32, live_for: Duration) {
    let list = OutputList::new(lifecycle.queue(), job, attempt);
    if let Err(error) = list.keep(live_for).await {
        tracing::debug!(job.id = %job, %error, "Redis keeps the lines for as long as before");
    }
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
    list.keep(live_for).await?;
    let cursor = db::output::last_seq(lifecycle.db(), job, attempt).await?;
    Ok(Rest { list, cursor })
}
