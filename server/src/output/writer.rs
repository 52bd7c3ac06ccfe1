//! A runner's side of the output: numbers lines, appends them to the live list in batches, and archives them.
//!
//! The lines that the archive does not have yet are held here: Redis is behind by milliseconds, Postgres by a second at
//! most, so whatever Redis loses is in one of the two. One chunk at a time is on its way to the archive while lines go on
//! to Redis; while Postgres is away, further ones wait on the disk.

use std::{
    future::ready,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::model::{JobId, Line, Step, Stream, Timestamp};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    ZSTD_LEVEL,
    list::{Appended, OutputList},
    reader::plain,
    spool::Spool,
};
use crate::{
    config::OutputConfig,
    db::{
        self,
        output::{Chunk, Stored},
    },
    lifecycle::{Event, Lifecycle},
    metrics,
};

/// How many lines are taken at once from who prints.
const RECEIVE_LINES: usize = 256;
/// A batch is appended at the latest when it has this many lines.
const BATCH_LINES: usize = 1024;
/// Appends are at least this far apart, so that a chatty job makes batches; the first line after a silence goes at once.
/// A line waits half of this on average. An append costs some tenths of a millisecond of processor time in all.
const BATCH_EVERY: Duration = Duration::from_millis(2);
/// Lines are archived at least this often, and when this many bytes have come together.
const ARCHIVE_EVERY: Duration = Duration::from_secs(1);
const CHUNK_BYTES: usize = 512 * 1024;
/// How long to wait before Redis or Postgres is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often the board hears of the newest line.
const LAST_LINE_EVERY: Duration = Duration::from_secs(1);

/// A line as the runner has it; the writer numbers it.
#[derive(Clone, Debug)]
pub struct PrintedLine {
    pub timestamp: Timestamp,
    pub stream: Stream,
    pub text: String,
    pub continues: bool,
    pub steps: Vec<Step>,
}

/// Which attempt is written, by whom, and how much is kept.
#[derive(Clone)]
pub struct WriterOptions {
    pub lifecycle: Lifecycle,
    pub config: OutputConfig,
    pub job: JobId,
    pub attempt: u32,
    /// Who asked for the job, and so who hears of its newest line.
    pub owner: Option<app::model::UserId>,
    pub runner: String,
    /// Where lines wait while Postgres is away.
    pub spool: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The lease was lost: another runner has the job, or it is over.
    #[error("the attempt is no longer this runner's")]
    NotHeld,
    #[error("the lines could not be kept: {0}")]
    Chunk(#[from] std::io::Error),
    #[error("Postgres does not take the lines: {0}")]
    Archive(#[from] sqlx::Error),
}

pub struct Writer {
    options: WriterOptions,
    list: OutputList,
    /// The chunk that is on its way to the archive.
    storing: Option<Storing>,
    /// Those that come after it.
    spool: Spool,
    /// Lines that none of these holds: JSON, each ended by a line break.
    unarchived: Vec<u8>,
    /// Where in `unarchived` the lines begin that the list does not hold.
    unsent: usize,
    unsent_lines: usize,
    /// The last line's number.
    last: u64,
    /// The number of the line before the first of `unarchived`.
    taken: u64,
    /// The last archived line's number.
    archived: u64,
    /// The list holds the lines `list_start..list_start + list_length`; `None` when it must be made anew.
    list_range: Option<(u64, u64)>,
    next_append: Instant,
    next_archive: Instant,
    next_last_line: Instant,
    /// The newest line, while the board has not heard of it.
    newest: Option<String>,
}

/// A chunk on its way to the archive, in a task of its own.
struct Storing {
    /// The chunk's last line's number.
    last: u64,
    stored: AbortOnDropHandle<sqlx::Result<Stored>>,
    /// Postgres was found to be away.
    waits: Arc<AtomicBool>,
}

impl Writer {
    pub fn new(options: WriterOptions) -> Self {
        let now = Instant::now();
        let spool = Spool::new(&options.spool, options.config.spool_bytes);
        Self {
            list: OutputList::new(options.lifecycle.queue(), options.job, options.attempt),
            options,
            storing: None,
            spool,
            unarchived: Vec::new(),
            unsent: 0,
            unsent_lines: 0,
            last: 0,
            taken: 0,
            archived: 0,
            list_range: None,
            next_append: now,
            next_archive: now + ARCHIVE_EVERY,
            next_last_line: now,
            newest: None,
        }
    }

    /// Writes every line that arrives until the sender is dropped, and returns how many there were; then the archive
    /// holds them all. While Redis is away only the archive is written; while Postgres is away lines go to the disk, and
    /// the sender has to wait once that is full.
    pub async fn run(mut self, mut lines: mpsc::Receiver<PrintedLine>) -> Result<u64, WriteError> {
        let mut batch = Vec::with_capacity(RECEIVE_LINES);
        loop {
            let full = self.unarchived.len() >= 2 * CHUNK_BYTES;
            let may_archive = self.storing.is_none() && !self.unarchived.is_empty();
            let may_spool = self.unarchived.len() >= CHUNK_BYTES && self.is_away() && self.spool.has_room();
            tokio::select! {
                biased;
                () = sleep_until(self.next_append), if self.unsent_lines > 0 => self.append().await?,
                stored = end_of(&mut self.storing) => self.stored(stored?)?,
                () = ready(()), if may_spool => self.spool().await?,
                () = sleep_until(self.next_archive), if may_archive => self.archive().await?,
                () = sleep_until(self.next_last_line), if self.newest.is_some() => self.tell_board(),
                received = lines.recv_many(&mut batch, RECEIVE_LINES), if !full => {
                    if received == 0 {
                        break;
                    }
                    metrics::lines(received);
                    for line in batch.drain(..) {
                        self.add(line);
                    }
                    if self.unsent_lines >= BATCH_LINES {
                        self.append().await?;
                    }
                    if self.unarchived.len() >= CHUNK_BYTES {
                        self.next_archive = self.next_archive.min(Instant::now());
                    }
                }
            }
        }
        if self.unsent_lines > 0 {
            self.append().await?;
        }
        self.end_storing().await?;
        if !self.unarchived.is_empty() {
            self.archive().await?;
            self.end_storing().await?;
        }
        Ok(self.last)
    }

    fn add(&mut self, line: PrintedLine) {
        self.last += 1;
        self.unsent_lines += 1;
        let line = Line {
            seq: self.last,
            timestamp: line.timestamp,
            stream: line.stream,
            line: line.text,
            continues: line.continues,
            steps: line.steps,
        };
        // Writing a plain struct into memory has no way to fail.
        let _ = serde_json::to_writer(&mut self.unarchived, &line);
        self.unarchived.push(b'\n');
        if !line.line.is_empty() {
            self.newest = Some(line.line);
        }
    }

    /// Appends what the list does not hold yet.
    async fn append(&mut self) -> Result<(), WriteError> {
        self.next_append = Instant::now() + BATCH_EVERY;
        let live_for = self.options.config.live_for;
        let count = self.unsent_lines as u64;
        if let Some((start, length)) = self.list_range {
            // Only archived lines may go, and only in large steps.
            let keep = self.options.config.live_lines.get();
            let excess = if length > keep + keep / 4 { length + count - keep } else { 0 };
            let trim = excess.min((self.archived + 1).saturating_sub(start));
            let appended = self.list.append(&self.unarchived[self.unsent..], length, trim, live_for).await;
            match appended {
                Ok(Appended::Yes) => {
                    self.list_range = Some((start + trim, length + count - trim));
                    self.sent();
                    return Ok(());
                }
                Ok(Appended::Refused) => self.list_range = None,
                Err(error) => return self.redis_failed(&error),
            }
        }
        self.restore_list().await
    }

    /// Makes the list anew from what the archive does not hold, once Postgres has confirmed that this runner still has
    /// the attempt.
    async fn restore_list(&mut self) -> Result<(), WriteError> {
        let WriterOptions { lifecycle, job, attempt, runner, .. } = &self.options;
        match db::attempts::is_held(lifecycle.db(), *job, *attempt, runner).await {
            Ok(true) => {}
            Ok(false) => return Err(WriteError::NotHeld),
            Err(error) => {
                tracing::warn!(job.id = %job, attempt, %error, "Postgres is away; lines wait");
                self.next_append = Instant::now() + RETRY_AFTER;
                return Ok(());
            }
        }
        // What is on its way to the archive is in neither of the two; the list begins after it.
        self.end_storing().await?;
        match self.list.restore(&self.unarchived, self.options.config.live_for).await {
            Ok(()) => {
                self.list_range = Some((self.taken + 1, self.last - self.taken));
                self.sent();
                Ok(())
            }
            Err(error) => self.redis_failed(&error),
        }
    }

    fn sent(&mut self) {
        self.unsent = self.unarchived.len();
        self.unsent_lines = 0;
    }

    fn redis_failed(&mut self, error: &redis::RedisError) -> Result<(), WriteError> {
        let WriterOptions { job, attempt, .. } = &self.options;
        tracing::warn!(job.id = %job, attempt, %error, "Redis is away; lines go to the archive only");
        // It may or may not have been appended, so the list is made anew.
        self.list_range = None;
        self.next_append = Instant::now() + RETRY_AFTER;
        Ok(())
    }

    /// Sends everything in the buffer on its way to the archive.
    async fn archive(&mut self) -> Result<(), WriteError> {
        self.next_archive = Instant::now() + ARCHIVE_EVERY;
        let chunk = self.take().await?;
        self.store(chunk);
        Ok(())
    }

    /// Puts everything in the buffer behind what is on its way to the archive already.
    async fn spool(&mut self) -> Result<(), WriteError> {
        let chunk = self.take().await?;
        Ok(self.spool.push(&chunk)?)
    }

    /// Everything in the buffer as a chunk.
    async fn take(&mut self) -> Result<Chunk, WriteError> {
        if self.unsent_lines > 0 && self.list_range.is_some() {
            // Otherwise the list would have a gap where the archive went ahead of it.
            self.append().await?;
        }
        if self.unsent_lines > 0 {
            self.list_range = None;
        }
        let lines = zstd::bulk::compress(&self.unarchived, ZSTD_LEVEL)?;
        let chunk = Chunk { first_seq: self.taken + 1, last_seq: self.last, lines };
        self.unarchived.clear();
        self.unarchived.shrink_to(2 * CHUNK_BYTES);
        self.taken = self.last;
        self.sent();
        Ok(chunk)
    }

    fn store(&mut self, chunk: Chunk) {
        let waits = Arc::new(AtomicBool::new(false));
        let last = chunk.last_seq;
        let stored =
            AbortOnDropHandle::new(tokio::spawn(store(self.options.clone(), chunk, Arc::clone(&waits))));
        self.storing = Some(Storing { last, stored, waits });
    }

    fn is_away(&self) -> bool {
        self.storing.as_ref().is_some_and(|storing| storing.waits.load(Ordering::Relaxed))
    }

    /// Waits until everything that is on its way to the archive is there.
    async fn end_storing(&mut self) -> Result<(), WriteError> {
        while self.storing.is_some() {
            let stored = end_of(&mut self.storing).await?;
            self.stored(stored)?;
        }
        Ok(())
    }

    fn stored(&mut self, stored: Stored) -> Result<(), WriteError> {
        if let Some(Storing { last, .. }) = self.storing.take() {
            self.archived = last;
        }
        if stored == Stored::NotHeld {
            return Err(WriteError::NotHeld);
        }
        if let Some(next) = self.spool.pop()? {
            self.store(next);
        }
        Ok(())
    }

    /// Tells the board the newest line. Nobody waits for it, and nothing is lost when it does not arrive.
    fn tell_board(&mut self) {
        self.next_last_line = Instant::now() + LAST_LINE_EVERY;
        let Some(newest) = self.newest.take() else { return };
        let WriterOptions { lifecycle, job, owner, .. } = &self.options;
        let line = app::model::LastLine { id: *job, line: plain(&newest) };
        let (lifecycle, owner) = (lifecycle.clone(), *owner);
        tokio::spawn(async move { lifecycle.publish(&[Event::Line { line, owner }]).await });
    }
}

/// Waits for the end of what is being stored; for ever when nothing is.
async fn end_of(storing: &mut Option<Storing>) -> Result<Stored, WriteError> {
    match storing {
        Some(storing) => Ok((&mut storing.stored).await.map_err(std::io::Error::other)??),
        None => std::future::pending().await,
    }
}

/// Stores a chunk, patiently: while Postgres is away it tries again and again, and says so in `waits`.
async fn store(options: WriterOptions, chunk: Chunk, waits: Arc<AtomicBool>) -> sqlx::Result<Stored> {
    let WriterOptions { lifecycle, job, attempt, runner, .. } = options;
    loop {
        match db::output::store(lifecycle.db(), job, attempt, &runner, &chunk).await {
            Err(error) if db::is_passing(&error) => {
                tracing::warn!(job.id = %job, attempt, %error, "Postgres is away; lines wait");
            }
            stored => return stored,
        }
        waits.store(true, Ordering::Relaxed);
        sleep(RETRY_AFTER).await;
    }
}
