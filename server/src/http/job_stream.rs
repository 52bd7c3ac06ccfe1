//! `GET /api/jobs/{id}/stream`: one attempt's output as it comes, after what there was before.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use app::model::{ApiError, Job, JobId, JobState};
use async_stream::stream;
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::Stream;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep, sleep_until},
};

use super::{
    admission::{Admission, withdrawn},
    error::Problem,
    openapi::Refused,
    rest::{Id, Parameters},
};
use crate::{
    backend::Server,
    db,
    lifecycle::Event,
    metrics,
    output::{Encoding, Frame, encode},
    sse,
};

/// A comment this often keeps proxies awake.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// How soon Postgres is asked again whether an attempt has ended.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// The present attempt if it is left out, or the next one of a job that waits.
    attempt: Option<u32>,
    /// Only lines after this one.
    after: Option<u64>,
    /// `1`: lines come in arrays.
    batch: Option<u8>,
}

/// Follow what a job prints.
///
/// Events: `status` (the job, whenever it changes), `output` (a line, or with `batch=1` a list of lines; the event's id is the
/// last line's `seq`), `done` (state, attempt and number of lines) at the end, and `error`. `Last-Event-ID` goes before
/// `after`.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/stream",
    tag = "output",
    params(("id" = JobId, Path, description = "The job's id"), StreamQuery),
    responses(
        (
            status = 200,
            description = "Server-sent events",
            body = String,
            content_type = "text/event-stream"
        ),
        Refused
    )
)]
pub(super) async fn job_stream(
    State(server): State<Arc<Server>>,
    admission: Admission,
    Id(id): Id,
    Parameters(query): Parameters<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = server.lifecycle.find(&admission.person, id).await?;
    if query.attempt.is_some_and(|attempt| attempt == 0 || attempt > job.attempt) {
        return Err(ApiError::NotFound("The job has no such attempt.".to_owned()).into());
    }
    // A browser that connects again says what it has seen; that goes before what the address says.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    // Then the stream says so and ends; the client goes on from its cursor. It keeps no connection for ever.
    let deadline = Instant::now() + server.config.server.stream;
    let viewer = Viewer {
        server,
        admission,
        job: id,
        cursor: seen.or(query.after).unwrap_or(0),
        encoding: if query.batch.unwrap_or(0) > 0 { Encoding::Batch } else { Encoding::Each },
        deadline,
    };
    Ok(event_stream("job", viewer.watch(job, query.attempt)))
}

/// An answer that goes on, counted under `name`. Neither proxies nor the browser may keep or collect it.
pub(super) fn event_stream(
    name: &'static str,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let viewer = metrics::Viewer::of(name);
    let events = futures::StreamExt::map(events, move |event| {
        // It lives as long as the stream.
        let _ = &viewer;
        Ok::<Bytes, Infallible>(event)
    });
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The stream's last words when it ends by the clock.
pub(super) fn expired() -> Bytes {
    sse::event(
        "error",
        &json!({ "code": "expired", "message": "This stream was open long enough. Connect again." }),
    )
}

struct Viewer {
    server: Arc<Server>,
    admission: Admission,
    job: JobId,
    /// The last line that was sent.
    cursor: u64,
    encoding: Encoding,
    deadline: Instant,
}

impl Viewer {
    fn watch(mut self, job: Job, attempt: Option<u32>) -> impl Stream<Item = Bytes> + Send {
        stream! {
            yield sse::event("status", &job);
            let attempt = match attempt {
                Some(attempt) => attempt,
                None if !waits(job.state) => job.attempt,
                None => {
                    let mut started = None;
                    for await step in self.wait_for_start(job.attempt) {
                        match step {
                            Waiting::Send(bytes) => yield bytes,
                            Waiting::Started(attempt) => started = Some(attempt),
                        }
                    }
                    let Some(attempt) = started else { return };
                    attempt
                }
            };

            if attempt == 0 {
                // It ended without ever running.
                yield done(&job, 0, 0);
                return;
            }
            // Subscribe first and read afterwards, so that nothing falls between.
            let tail = self.server.hub.tail(self.job, attempt);
            let mut frames = tail.frames();
            loop {
                // What is stored, up to the present end.
                let asked = db::attempts::final_line_count(self.server.lifecycle.db(), self.job, attempt).await;
                if let Err(error) = &asked {
                    tracing::debug!(%error, "Postgres is away; viewers wait");
                }
                // Whoever followed the attempt may have told of its end, and tells of nothing more.
                let is_unknown = asked.is_err();
                let ended = asked.ok().flatten();
                loop {
                    let reader = self.server.hub.reader();
                    let read = match ended {
                        Some(_) => reader.read_archived(self.job, attempt, self.cursor).await,
                        None => reader.read(self.job, attempt, self.cursor).await,
                    };
                    match read {
                        Ok(blocks) if blocks.is_empty() => break,
                        Ok(blocks) => {
                            for block in blocks {
                                self.cursor = block.last;
                                yield encode(&block, self.encoding);
                            }
                        }
                        Err(error) => {
                            tracing::warn!(job.id = %self.job, error = format!("{error:#}"), "lines cannot be read");
                            yield unreadable();
                            return;
                        }
                    }
                }
                if let Some(lines) = ended {
                    yield self.done(attempt, lines).await;
                    return;
                }
                // What comes, until some of it was missed.
                // Made once: a timer for each frame would be a tenth of what a frame costs.
                let mut heartbeat = pin!(sleep_until(self.deadline.min(Instant::now() + HEARTBEAT_EVERY)));
                let mut ask_again = pin!(sleep(ASK_AGAIN));
                loop {
                    tokio::select! {
                        frame = frames.recv() => match frame {
                            Ok(Frame::Lines(lines)) if lines.block.last <= self.cursor => {}
                            Ok(Frame::Lines(lines)) if lines.block.first == self.cursor + 1 => {
                                self.cursor = lines.block.last;
                                yield lines.encoded(self.encoding);
                            }
                            Ok(Frame::Status(status)) => yield status,
                            // Lines that overlap or leave a gap, the beginning, the end, or missed frames: look at
                            // what is stored.
                            Ok(Frame::Began | Frame::Lines(_) | Frame::Ended(_)) | Err(RecvError::Lagged(_)) => break,
                            Err(RecvError::Closed) => return,
                        },
                        () = &mut ask_again, if is_unknown => break,
                        () = &mut heartbeat => {
                            if Instant::now() >= self.deadline {
                                yield expired();
                                return;
                            }
                            if !self.admission.holds().await {
                                yield withdrawn();
                                return;
                            }
                            yield sse::HEARTBEAT;
                            heartbeat.as_mut().reset(self.deadline.min(Instant::now() + HEARTBEAT_EVERY));
                        }
                    }
                }
            }
        }
    }

    /// Passes changes of the job on until the attempt after `before` starts; ends without one when there will be none.
    fn wait_for_start(&self, before: u32) -> impl Stream<Item = Waiting> + Send {
        let mut changes = self.server.feed.subscribe();
        let (server, id, deadline) = (Arc::clone(&self.server), self.job, self.deadline);
        let admission = &self.admission;
        stream! {
            let mut heartbeat = Instant::now();
            loop {
                // An event may be lost, and may have come before the subscription.
                let look = tokio::select! {
                    news = changes.recv() => match news {
                        Ok(news) => match &news.event {
                            Event::Job { job, .. } if job.id == id => Some(job.clone()),
                            _ => continue,
                        },
                        Err(RecvError::Lagged(_)) => None,
                        Err(RecvError::Closed) => return,
                    },
                    () = sleep_until(heartbeat.min(deadline)) => {
                        heartbeat = Instant::now() + HEARTBEAT_EVERY;
                        if Instant::now() >= deadline {
                            yield Waiting::Send(expired());
                            return;
                        }
                        if !admission.holds().await {
                            yield Waiting::Send(withdrawn());
                            return;
                        }
                        yield Waiting::Send(sse::HEARTBEAT);
                        None
                    }
                };
                let job = match look {
                    Some(job) => job,
                    None => match server.lifecycle.find(&admission.person, id).await {
                        Ok(job) => job,
                        Err(ApiError::NotFound(message)) => {
                            yield Waiting::Send(sse::event("error", &json!({ "code": "deleted", "message": message })));
                            return;
                        }
                        Err(_) => continue,
                    },
                };
                yield Waiting::Send(sse::event("status", &job));
                if job.attempt > before {
                    yield Waiting::Started(job.attempt);
                    return;
                }
                if job.state.is_finished() {
                    yield Waiting::Send(done(&job, before, 0));
                    return;
                }
            }
        }
    }

    async fn done(&self, attempt: u32, lines: u64) -> Bytes {
        match self.server.lifecycle.find(&self.admission.person, self.job).await {
            Ok(job) => done(&job, attempt, lines),
            Err(_) => unreadable(),
        }
    }
}

/// Whether the job waits for its first or its next attempt.
const fn waits(state: JobState) -> bool {
    matches!(state, JobState::Scheduled | JobState::Queued | JobState::Parked)
}

enum Waiting {
    Send(Bytes),
    Started(u32),
}

fn done(job: &Job, attempt: u32, lines: u64) -> Bytes {
    sse::event("done", &json!({ "state": job.state, "attempt": attempt, "lines": lines }))
}

fn unreadable() -> Bytes {
    let message = "The output cannot be read at the moment. Nothing is lost; connect again.";
    sse::event("error", &json!({ "code": "unavailable", "message": message }))
}
