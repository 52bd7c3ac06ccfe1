//! One poller for each attempt that somebody watches, however many watch it.
//!
//! The poller reads when the runner rings, and every half second regardless; what it reads is encoded once and shared. A
//! viewer that cannot keep up is not buffered for: it misses frames, and reads them by its cursor instead.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use app::model::{JobId, JobState};
use bytes::Bytes;
use tokio::{
    sync::broadcast,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{Block, Reader};
use crate::{
    db,
    lifecycle::{Event, Feed, Lifecycle},
    sse,
};

/// Polls regardless of rings: a lost ring costs half a second, not a line.
const POLL: Duration = Duration::from_millis(500);
/// Every so many polls Postgres is asked whether the attempt has ended, in case that event was lost.
const POLLS_PER_CHECK: u32 = 4;
/// Frames are at least this far apart for each viewer: about what sending one costs on two cores. With many viewers
/// frames become fewer and larger, before the machine has no time left for anything else.
const PACE: Duration = Duration::from_micros(10);
/// So many times as far apart they are at most, while viewers have not taken the one before: the machine is slower, or busy.
const PATIENCE: u32 = 4;
/// Frames that a viewer may be behind before it reads for itself.
const BACKLOG: usize = 64;

/// Something that every viewer of an attempt gets.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Following has begun: what was printed before comes in no frame, and whoever read too early reads again.
    Began,
    Lines(Arc<SharedLines>),
    /// The job changed; encoded.
    Status(Bytes),
    /// The attempt has ended with so many lines.
    Ended(u64),
}

/// A block and, once the first viewer asked for it, its encoding.
#[derive(Debug)]
pub struct SharedLines {
    pub block: Block,
    encoded: [std::sync::OnceLock<Bytes>; 2],
}

/// How a viewer wants lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One event a line.
    Each,
    /// One event a block, with an array.
    Batch,
}

impl SharedLines {
    fn new(block: Block) -> Arc<Self> {
        Arc::new(Self { block, encoded: Default::default() })
    }

    /// The block as server-sent events; encoded once, shared by all viewers.
    pub fn encoded(&self, encoding: Encoding) -> Bytes {
        self.encoded[encoding as usize].get_or_init(|| encode(&self.block, encoding)).clone()
    }
}

/// A block as server-sent events. The id of each event is the number of its last line.
pub fn encode(block: &Block, encoding: Encoding) -> Bytes {
    let mut text = Vec::with_capacity(block.lines.len() + 64);
    match encoding {
        Encoding::Batch => {
            text.extend_from_slice(format!("id: {}\nevent: output\ndata: [", block.last).as_bytes());
            text.extend_from_slice(&block.as_json_items());
            text.extend_from_slice(b"]\n\n");
        }
        Encoding::Each => {
            for (line, seq) in super::list::each_line(&block.lines).zip(block.first..) {
                text.extend_from_slice(format!("id: {seq}\nevent: output\ndata: ").as_bytes());
                text.extend_from_slice(line);
                text.extend_from_slice(b"\n\n");
            }
        }
    }
    text.into()
}

/// What is being watched on this server.
pub struct Hub {
    reader: Arc<Reader>,
    lifecycle: Lifecycle,
    feed: Arc<Feed>,
    tails: Mutex<HashMap<(JobId, u32), Weak<Tail>>>,
}

/// An attempt that somebody watches; it is followed while somebody holds it.
pub struct Tail {
    frames: broadcast::Sender<Frame>,
}

impl Tail {
    /// Frames from now on. A viewer subscribes first and reads what was before afterwards, so that nothing falls between.
    pub fn frames(&self) -> broadcast::Receiver<Frame> {
        self.frames.subscribe()
    }
}

impl Hub {
    pub fn new(reader: Arc<Reader>, lifecycle: Lifecycle, feed: Arc<Feed>) -> Arc<Self> {
        Arc::new(Self { reader, lifecycle, feed, tails: Mutex::default() })
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// How many attempts are being watched.
    pub fn watched(&self) -> usize {
        self.tails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .filter(|tail| tail.strong_count() > 0)
            .count()
    }

    /// The attempt's tail, followed from now on if it was not yet.
    pub fn tail(self: &Arc<Self>, job: JobId, attempt: u32) -> Arc<Tail> {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = tails.get(&(job, attempt)).and_then(Weak::upgrade) {
            return tail;
        }
        let tail = Arc::new(Tail { frames: broadcast::Sender::new(BACKLOG) });
        tails.insert((job, attempt), Arc::downgrade(&tail));
        tokio::spawn(Arc::clone(self).follow(job, attempt, Arc::downgrade(&tail)));
        tail
    }

    async fn follow(self: Arc<Self>, job: JobId, attempt: u32, tail: Weak<Tail>) {
        self.poll(job, attempt, &tail).await;
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        // Another tail may have taken the place if this one had no viewer for a moment.
        if tails.get(&(job, attempt)).is_some_and(|current| Weak::ptr_eq(current, &tail)) {
            tails.remove(&(job, attempt));
        }
    }

    async fn poll(&self, job: JobId, attempt: u32, tail: &Weak<Tail>) {
        let mut changes = self.feed.subscribe();
        let channel = self.lifecycle.queue().keys().output_bell(job);
        let mut ring = self.lifecycle.queue().bells().listen(&channel);
        let mut cursor = self.reader.total(job, attempt).await.unwrap_or(0);
        if let Some(tail) = tail.upgrade() {
            let _ = tail.frames.send(Frame::Began);
        }
        let mut tick = interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut polls = 0;
        let mut next_frame = Instant::now();
        let mut pace = PACE;
        loop {
            let look = tokio::select! {
                _ = ring.heard() => {
                    sleep_until(next_frame).await;
                    for _ in 1..PATIENCE {
                        if tail.upgrade().is_none_or(|tail| tail.frames.is_empty()) {
                            break;
                        }
                        sleep(pace).await;
                    }
                    ring.catch_up();
                    Look::Live
                }
                _ = tick.tick() => Look::Everywhere,
                news = changes.recv() => match news {
                    Ok(news) => {
                        let Event::Job { job: changed, .. } = &news.event else { continue };
                        if changed.id != job {
                            continue;
                        }
                        let Some(tail) = tail.upgrade() else { return };
                        let _ = tail.frames.send(Frame::Status(sse::event("status", changed)));
                        if changed.attempt == attempt && changed.state == JobState::Running {
                            continue;
                        }
                        Look::End
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => Look::End,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            };
            // No viewer is left: stop following.
            let Some(tail) = tail.upgrade() else { return };
            let look = match look {
                Look::Everywhere if polls + 1 >= POLLS_PER_CHECK => Look::End,
                look => look,
            };
            polls = match look {
                Look::Live => polls,
                Look::Everywhere => polls + 1,
                Look::End => 0,
            };
            let viewers = u32::try_from(tail.frames.receiver_count()).unwrap_or(u32::MAX);
            pace = (PACE * viewers).min(POLL);
            next_frame = Instant::now() + pace;
            match self.look(job, attempt, &mut cursor, look, &tail).await {
                Ok(Some(lines)) => {
                    let _ = tail.frames.send(Frame::Ended(lines));
                    return;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(job.id = %job, attempt, error = format!("{error:#}"), "lines cannot be read now");
                }
            }
        }
    }

    /// Reads to the present end and hands everything out. Returns the number of lines of an attempt that has ended: asked
    /// before reading, so that what was read then is all there is.
    async fn look(
        &self,
        job: JobId,
        attempt: u32,
        cursor: &mut u64,
        look: Look,
        tail: &Tail,
    ) -> anyhow::Result<Option<u64>> {
        let ended = match look {
            Look::End => db::attempts::final_line_count(self.lifecycle.db(), job, attempt).await?,
            Look::Live | Look::Everywhere => None,
        };
        loop {
            let blocks = match look {
                Look::Live => self.reader.read_live(job, attempt, *cursor).await?.into_iter().collect(),
                Look::Everywhere | Look::End => self.reader.read(job, attempt, *cursor).await?,
            };
            let Some(last) = blocks.last() else { return Ok(ended) };
            *cursor = last.last;
            for block in blocks {
                // Nobody subscribed at this moment is fine: whoever comes reads by cursor.
                let _ = tail.frames.send(Frame::Lines(SharedLines::new(block)));
            }
        }
    }
}

/// Where to look for lines, and for what else.
#[derive(Clone, Copy)]
enum Look {
    /// The runner rang: in the list.
    Live,
    /// In the list and the archive.
    Everywhere,
    /// Everywhere, and whether the attempt has ended.
    End,
}
