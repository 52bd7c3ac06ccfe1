//! Somebody who watches a job: the least that reads a stream and proves that every line came once and in order.

use std::{cell::RefCell, ops::Range, sync::LazyLock, time::Duration};

use anyhow::{Context as _, ensure};
use app::model::JobId;
use memchr::{memchr, memmem::Finder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{child::monotonic, installation::Installation};

// Made once: a thousand viewers look for them a million times a second.
static SEQ: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"{\"seq\":"));
static TEXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"line\":\""));
static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"event: done"));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"event: error"));

/// How a viewer wants its lines.
#[derive(Clone, Copy, Debug)]
pub enum Events {
    /// As the dashboard does: many lines in an event.
    Batch,
    Each,
}

pub struct Viewer {
    stream: TcpStream,
    received: Vec<u8>,
    filled: usize,
    /// The last line's number.
    last: u64,
}

impl Viewer {
    /// Begins to watch a job after line `after`.
    pub async fn open(
        installation: &Installation,
        job: JobId,
        after: u64,
        events: Events,
    ) -> anyhow::Result<Self> {
        Self::connect(&installation.address.to_string(), &installation.token, job, after, events).await
    }

    pub async fn connect(
        address: &str,
        token: &str,
        job: JobId,
        after: u64,
        events: Events,
    ) -> anyhow::Result<Self> {
        let batch = match events {
            Events::Batch => "&batch=1",
            Events::Each => "",
        };
        let request = format!(
            "GET /api/jobs/{job}/stream?after={after}{batch} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes()).await?;
        Ok(Self { stream, received: vec![0; 64 * 1024], filled: 0, last: after })
    }

    /// Reads to the end of the job, hands the text of every line over with the time at which it was there, and returns
    /// the last line's number.
    pub async fn watch(mut self, mut each: impl FnMut(&[u8], Duration)) -> anyhow::Result<u64> {
        loop {
            let room = &mut self.received[self.filled..];
            let read = self.stream.read(room).await?;
            ensure!(read > 0, "the stream ended after line {}", self.last);
            self.filled += read;
            let now = monotonic();
            let used = self.take(|text| each(text, now))?;
            let rest = &self.received[used..self.filled];
            if DONE.find(rest).is_some() {
                return Ok(self.last);
            }
            ensure!(ERROR.find(rest).is_none(), "{}", String::from_utf8_lossy(rest));
            self.received.copy_within(used..self.filled, 0);
            self.filled -= used;
            if self.filled == self.received.len() {
                self.received.resize(2 * self.filled, 0);
            }
        }
    }

    /// Hands over the text of each whole line that was received, and returns how far they go.
    fn take(&mut self, mut each: impl FnMut(&[u8])) -> anyhow::Result<usize> {
        let received = &self.received[..self.filled];
        LATEST.with_borrow_mut(|latest| {
            if latest.received != received {
                *latest = Scan::of(received)?;
            }
            for Line { seq, text } in &latest.lines {
                ensure!(*seq == self.last + 1, "line {seq} came after line {}", self.last);
                self.last = *seq;
                each(&received[text.clone()]);
            }
            Ok(latest.used)
        })
    }
}

thread_local! {
    /// Viewers of one job receive the same bytes, one after the other: what is compared needs not be taken apart again.
    static LATEST: RefCell<Scan> = RefCell::default();
}

/// The lines in something that was received.
#[derive(Default)]
struct Scan {
    received: Vec<u8>,
    lines: Vec<Line>,
    /// How far the lines go.
    used: usize,
}

struct Line {
    seq: u64,
    /// Its place in what was received.
    text: Range<usize>,
}

impl Scan {
    /// Neither events nor the chunks of the transfer are taken apart: a line has the same form wherever it stands, none is
    /// cut by a chunk's end, and what the bench prints needs no escapes.
    fn of(received: &[u8]) -> anyhow::Result<Self> {
        // An event's name may be cut off at the end, and so may the start of a line.
        const LONGEST_CUT: usize = 12;
        let (mut lines, mut used) = (Vec::new(), 0);
        while let Some(found) = SEQ.find(&received[used..]) {
            let start = used + found;
            let line = &received[start..];
            let found = TEXT.find(line).map(|at| at + TEXT.needle().len());
            let Some((text, end)) = found.and_then(|at| Some((at, at + memchr(b'"', &line[at..])?))) else {
                return Ok(Self { received: received.to_vec(), lines, used: start });
            };
            let digits =
                line[SEQ.needle().len()..].split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
            let seq = std::str::from_utf8(digits)?.parse().context("a line without a number")?;
            lines.push(Line { seq, text: start + text..start + end });
            used = start + end;
        }
        let rest = &received[used..];
        // What says how the job ended stays, for the caller to find.
        let is_last = DONE.find(rest).or_else(|| ERROR.find(rest));
        used = is_last.map_or_else(|| used + rest.len().saturating_sub(LONGEST_CUT), |at| used + at);
        Ok(Self { received: received.to_vec(), lines, used })
    }
}
