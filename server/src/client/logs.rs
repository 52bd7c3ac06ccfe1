//! `millrace logs`: what a job printed, and what it prints from now on.

use std::{io::Write, time::Duration};

use anyhow::{Context as _, bail};
use app::model::{Job, JobId, JobState, Line, OutputPage, Stream};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sse_stream::{Sse, SseStream};
use tokio::time::Instant;

use super::{Api, Format, text};

/// How many lines are asked for at once.
const PAGE: u64 = 5000;
/// How long to wait before a lost connection is tried again: doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A connection that lasted this long was a good one, whether or not the job has said anything.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// A server that is away for this long is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// Which lines to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that there are.
    Present,
    /// Those too that come, until the job has ended.
    Following,
}

pub async fn logs(
    api: &Api,
    id: &str,
    attempt: Option<u32>,
    which: Which,
    format: Format,
) -> anyhow::Result<()> {
    let job = api.job(id).await?.job;
    let mut lines = match format {
        Format::Text => Lines::text(),
        Format::Json => Lines::json(),
    };
    match which {
        Which::Following => Follower::new(api, job.id, attempt, lines).follow().await.map(drop),
        Which::Present => {
            let attempt = attempt.unwrap_or(job.attempt);
            if attempt == 0 {
                eprintln!("The job has not started yet. `millrace logs -f` waits for it.");
                return Ok(());
            }
            let mut after = 0;
            loop {
                let query = OutputQuery { attempt, after, limit: PAGE };
                let page: OutputPage = api.get(&format!("/api/jobs/{}/output", job.id), &query).await?;
                lines.write(&page.lines)?;
                match page.next {
                    Some(next) => after = next,
                    None => return Ok(()),
                }
            }
        }
    }
}

#[derive(Serialize)]
struct OutputQuery {
    attempt: u32,
    after: u64,
    limit: u64,
}

/// Where lines go.
pub(super) enum Lines {
    /// As they were printed; colours are taken out where standard output is no terminal.
    Text(Box<dyn Write>),
    /// One JSON object a line.
    Json(Box<dyn Write>),
    Nowhere,
}

impl Lines {
    pub(super) fn text() -> Self {
        Self::Text(Box::new(anstream::stdout()))
    }

    fn json() -> Self {
        Self::Json(Box::new(std::io::stdout()))
    }

    pub(super) fn nowhere() -> Self {
        Self::Nowhere
    }

    fn write(&mut self, lines: &[Line]) -> std::io::Result<()> {
        let mut block = Vec::new();
        match self {
            Self::Nowhere => Ok(()),
            Self::Json(out) => {
                for line in lines {
                    serde_json::to_writer(&mut block, line)?;
                    block.push(b'\n');
                }
                out.write_all(&block)?;
                out.flush()
            }
            Self::Text(out) => {
                for line in lines {
                    match line.stream {
                        Stream::System => block.extend(text::coloured(text::DIM, &line.line).bytes()),
                        Stream::Stdout | Stream::Stderr => block.extend(line.line.bytes()),
                    }
                    if !line.continues {
                        block.push(b'\n');
                    }
                }
                out.write_all(&block)?;
                out.flush()
            }
        }
    }
}

/// Reads a job's output as it comes, over as many connections and attempts as it takes.
pub(super) struct Follower<'a> {
    api: &'a Api,
    id: JobId,
    /// The one attempt that is wanted; all if none is named.
    only: Option<u32>,
    /// The attempt whose lines come; unknown while the job waits for its start.
    attempt: Option<u32>,
    /// The last line of it that was written.
    cursor: u64,
    /// The last attempt that was read to its end.
    read: u32,
    lines: Lines,
}

/// What the server says at the end of an attempt.
#[derive(Deserialize)]
struct Done {
    state: JobState,
    attempt: u32,
}

#[derive(Deserialize)]
struct StreamError {
    code: String,
    message: String,
}

#[derive(Serialize)]
struct StreamQuery {
    attempt: Option<u32>,
    after: u64,
    batch: u8,
}

/// Why one connection's reading came to its end.
enum Ended {
    /// There is nothing more to come.
    Output,
    /// The attempt ended and the job goes on with another one.
    Attempt,
    /// The connection, in whichever way.
    Connection(String),
}

impl<'a> Follower<'a> {
    pub(super) fn new(api: &'a Api, id: JobId, only: Option<u32>, lines: Lines) -> Self {
        Self { api, id, only, attempt: only, cursor: 0, read: 0, lines }
    }

    /// Returns when the job, or the wanted attempt, has ended and every line of it was written.
    pub(super) async fn follow(mut self) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut last_sign = Instant::now();
        loop {
            let (before, opened) = ((self.attempt, self.cursor), Instant::now());
            let reason = match self.read_one_connection().await? {
                Ended::Output => return Ok(()),
                Ended::Attempt => continue,
                Ended::Connection(reason) => reason,
            };
            if before != (self.attempt, self.cursor) || opened.elapsed() > GOOD_AFTER {
                (pause, last_sign) = (FIRST_PAUSE, Instant::now());
            }
            if last_sign.elapsed() > GIVE_UP_AFTER {
                bail!("{reason}. The job goes on; `millrace logs -f {}` follows it again", self.id.short());
            }
            // The first time is usually a server that starts again, or the hour after which each stream ends.
            if pause == FIRST_PAUSE * 2 {
                eprintln!("{reason}. Trying again …");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn read_one_connection(&mut self) -> anyhow::Result<Ended> {
        let query = StreamQuery { attempt: self.attempt, after: self.cursor, batch: 1 };
        let response = match self.api.open(&format!("/api/jobs/{}/stream", self.id), &query).await {
            Ok(response) => response,
            Err(error) if error.may_pass() => return Ok(Ended::Connection(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let mut events = SseStream::from_bytes_stream(response.bytes_stream());
        loop {
            let event = match events.next().await {
                Some(Ok(event)) => event,
                Some(Err(error)) => return Ok(Ended::Connection(error.to_string())),
                None => return Ok(Ended::Connection("the server ended the connection".to_owned())),
            };
            if let Some(ended) = self.take(&event)? {
                return Ok(ended);
            }
        }
    }

    /// Takes one event in, and says whether it was the last of this connection.
    fn take(&mut self, event: &Sse) -> anyhow::Result<Option<Ended>> {
        match event.event.as_deref() {
            Some("status") if self.attempt.is_none() => {
                let job: Job = data(event)?;
                let waits = matches!(job.state, JobState::Scheduled | JobState::Queued | JobState::Parked);
                if job.attempt > self.read && !waits {
                    self.attempt = Some(job.attempt);
                } else if job.state.is_finished() {
                    return Ok(Some(Ended::Output));
                }
            }
            Some("output") => {
                let lines: Vec<Line> = data(event)?;
                self.lines.write(&lines)?;
                self.cursor = lines.last().map_or(self.cursor, |line| line.seq);
            }
            Some("done") => {
                let done: Done = data(event)?;
                if self.only.is_some() || done.state.is_finished() {
                    return Ok(Some(Ended::Output));
                }
                (self.attempt, self.cursor, self.read) = (None, 0, done.attempt);
                return Ok(Some(Ended::Attempt));
            }
            Some("error") => {
                let error: StreamError = data(event)?;
                if error.code == "deleted" {
                    bail!(error.message);
                }
                return Ok(Some(Ended::Connection(error.message)));
            }
            _ => {}
        }
        Ok(None)
    }
}

fn data<T: DeserializeOwned>(event: &Sse) -> anyhow::Result<T> {
    let data = event.data.as_deref().unwrap_or_default();
    serde_json::from_str(data).context("The server's answer was not understood; is it of another version?")
}
