//! The Redis side of an attempt's output: a list that holds its latest lines.

use std::{sync::LazyLock, time::Duration};

use app::model::JobId;
use bytes::{BufMut, Bytes, BytesMut};
use redis::{AsyncCommands, RedisResult, Script};

use super::{Block, seq_of};
use crate::queue::Queue;

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/append.lua")));
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/restore.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/read.lua")));

/// How many bytes of lines one read takes, about: the first few lines are taken however long they are.
const READ_BYTES: usize = 256 * 1024;
/// How many lines one read takes at most.
const READ_LINES: usize = 4096;

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Yes,
    /// The list or its fence is not as the writer left it: Redis lost them, or the attempt is no longer the writer's.
    Refused,
}

/// One attempt's list.
#[derive(Clone)]
pub(super) struct OutputList {
    queue: Queue,
    list: String,
    fence: String,
    bell: String,
    attempt: u32,
}

impl OutputList {
    pub(super) fn new(queue: &Queue, job: JobId, attempt: u32) -> Self {
        let keys = queue.keys();
        Self {
            list: keys.output(job, attempt),
            fence: keys.fence(job),
            bell: keys.output_bell(job),
            attempt,
            queue: queue.clone(),
        }
    }

    /// Appends lines (newline-terminated JSON) to a list that must have `length` elements, drops `trim` old ones from its
    /// head, and rings.
    pub(super) async fn append(
        &self,
        lines: &[u8],
        length: u64,
        trim: u64,
        live_for: Duration,
    ) -> RedisResult<Appended> {
        let mut call = APPEND.key(&self.list);
        call.key(&self.fence).arg(&self.bell).arg(self.attempt).arg(length).arg(trim).arg(live_for.as_secs());
        for line in each_line(lines) {
            call.arg(line);
        }
        let done: bool = call.invoke_async(&mut self.queue.connection()).await?;
        Ok(if done { Appended::Yes } else { Appended::Refused })
    }

    /// Makes the list anew with exactly these lines and lets the attempt write to it. Only for a runner that Postgres has
    /// just confirmed.
    pub(super) async fn restore(&self, lines: &[u8], live_for: Duration) -> RedisResult<()> {
        let mut call = RESTORE.key(&self.list);
        call.key(&self.fence).arg(&self.bell).arg(self.attempt).arg(live_for.as_secs());
        for line in each_line(lines) {
            call.arg(line);
        }
        call.invoke_async(&mut self.queue.connection()).await
    }

    /// Lets nobody write to the list any more.
    pub(super) async fn close(&self, live_for: Duration) -> RedisResult<()> {
        self.queue.connection().set_ex(&self.fence, 0, live_for.as_secs()).await
    }

    /// Keeps the list for this long from now on.
    pub(super) async fn keep(&self, live_for: Duration) -> RedisResult<()> {
        let seconds = i64::try_from(live_for.as_secs()).unwrap_or(i64::MAX);
        self.queue.connection().expire(&self.list, seconds).await
    }

    /// The lines after `after`, or nothing when the list does not hold the next one. Also the last seq in the list, 0
    /// when it is empty.
    pub(super) async fn read(&self, after: u64) -> RedisResult<(Option<Block>, u64)> {
        let (last, lines): (u64, Vec<Bytes>) = READ
            .key(&self.list)
            .arg(after)
            .arg(READ_LINES)
            .arg(READ_BYTES)
            .invoke_async(&mut self.queue.connection())
            .await?;
        let Some(first) = lines.first().and_then(|line| seq_of(line)) else {
            return Ok((None, last));
        };
        let mut joined = BytesMut::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in &lines {
            joined.put_slice(line);
            joined.put_u8(b'\n');
        }
        let block = Block { first, last: first + lines.len() as u64 - 1, lines: joined.freeze() };
        Ok((Some(block), last))
    }

    /// The last line as it is stored.
    pub(super) async fn last_line(&self) -> RedisResult<Option<Bytes>> {
        redis::cmd("LINDEX").arg(&self.list).arg(-1).query_async(&mut self.queue.connection()).await
    }
}

/// The lines of newline-terminated text.
pub(super) fn each_line(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.strip_suffix(b"\n").into_iter().flat_map(|lines| lines.split(|byte| *byte == b'\n'))
}
