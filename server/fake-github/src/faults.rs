//! What goes wrong on purpose, and the log of what was asked.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::Utc;

use crate::{refusal::Refusal, world::World};

/// How many requests the log keeps.
const LOG: usize = 10_000;

/// One request that was made, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With `/api/v3` before it where it was for the API.
    pub path: String,
    pub query: String,
}

/// Which of GitHub's two limits is hit.
#[derive(Clone, Copy, Debug)]
pub enum RateLimit {
    /// 403, `X-RateLimit-Remaining: 0` and when it is over.
    Primary { resets_in_seconds: u64 },
    /// 429 and `Retry-After`.
    Secondary { retry_after_seconds: u64 },
}

#[derive(Default)]
pub(crate) struct Faults(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    refusals: Vec<Refused>,
    dropped: Vec<(String, String)>,
    held: Vec<(String, String)>,
    away: bool,
    log: VecDeque<Request>,
}

struct Refused {
    /// `None`: any.
    method: Option<String>,
    prefix: String,
    times: usize,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Status(u16),
    Busy {
        retry_after_seconds: u64,
    },
    Limit(RateLimit),
    /// 200 and this, whatever was asked.
    Nonsense(String),
}

/// What is to become of a request.
pub(crate) enum Fate {
    Answered,
    Refused(Response),
    /// Done, and the answer lost.
    Dropped,
    /// Done, and never answered while the connection is open.
    Held,
    /// Not even done.
    Away,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fate(&self, request: Request) -> Fate {
        let mut plan = self.lock();
        if plan.away {
            return Fate::Away;
        }
        if plan.log.len() == LOG {
            plan.log.pop_front();
        }
        plan.log.push_back(request.clone());
        if let Some(index) = plan.refusals.iter().position(|refused| {
            refused.method.as_ref().is_none_or(|method| *method == request.method)
                && begins(&request.path, &refused.prefix)
        }) {
            let kind = plan.refusals[index].kind.clone();
            plan.refusals[index].times -= 1;
            if plan.refusals[index].times == 0 {
                plan.refusals.remove(index);
            }
            return Fate::Refused(kind.response());
        }
        let is_meant =
            |(method, prefix): &(String, String)| *method == request.method && begins(&request.path, prefix);
        if let Some(index) = plan.dropped.iter().position(is_meant) {
            plan.dropped.remove(index);
            return Fate::Dropped;
        }
        if let Some(index) = plan.held.iter().position(is_meant) {
            plan.held.remove(index);
            return Fate::Held;
        }
        Fate::Answered
    }
}

/// A prefix may be given as it is sent or as the documentation writes it, without `/api/v3`.
fn begins(path: &str, prefix: &str) -> bool {
    path.starts_with(prefix) || path.strip_prefix("/api/v3").is_some_and(|path| path.starts_with(prefix))
}

impl Kind {
    fn response(self) -> Response {
        let refusal = match self {
            Self::Nonsense(body) => return body.into_response(),
            Self::Busy { retry_after_seconds } => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
                    .with_header("retry-after", retry_after_seconds)
            }
            Self::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Refusal::new(status, status.canonical_reason().unwrap_or("Error"))
            }
            Self::Limit(RateLimit::Primary { resets_in_seconds }) => {
                let reset = Utc::now().timestamp().saturating_add_unsigned(resets_in_seconds);
                Refusal::forbidden("API rate limit exceeded for this installation.")
                    .with_header("x-ratelimit-limit", 5000)
                    .with_header("x-ratelimit-remaining", 0)
                    .with_header("x-ratelimit-used", 5000)
                    .with_header("x-ratelimit-reset", reset)
                    .with_header("x-ratelimit-resource", "core")
            }
            Self::Limit(RateLimit::Secondary { retry_after_seconds }) => Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            )
            .with_header("retry-after", retry_after_seconds),
        };
        refusal.into_response()
    }
}

impl World {
    /// Answers the next so many requests of this method and path with a status, and does nothing else.
    pub fn fail_next(&self, method: &str, path_prefix: &str, status: u16, times: usize) {
        if times > 0 {
            let (method, prefix) = (Some(method.to_owned()), path_prefix.to_owned());
            self.faults.lock().refusals.push(Refused { method, prefix, times, kind: Kind::Status(status) });
        }
    }

    /// Answers the next such request with 503 and `Retry-After`.
    pub fn busy_next(&self, method: &str, path_prefix: &str, retry_after_seconds: u64) {
        let (method, prefix) = (Some(method.to_owned()), path_prefix.to_owned());
        let kind = Kind::Busy { retry_after_seconds };
        self.faults.lock().refusals.push(Refused { method, prefix, times: 1, kind });
    }

    /// Answers the next such request with 200 and this body, as a proxy in between may.
    pub fn nonsense_next(&self, method: &str, path_prefix: &str, body: &str) {
        let (method, prefix) = (Some(method.to_owned()), path_prefix.to_owned());
        let kind = Kind::Nonsense(body.to_owned());
        self.faults.lock().refusals.push(Refused { method, prefix, times: 1, kind });
    }

    pub fn rate_limit_next(&self, path_prefix: &str, limit: RateLimit) {
        let (prefix, kind) = (path_prefix.to_owned(), Kind::Limit(limit));
        self.faults.lock().refusals.push(Refused { method: None, prefix, times: 1, kind });
    }

    /// Does what the next such request wants and cuts its connection instead of answering.
    pub fn drop_answer_next(&self, method: &str, path_prefix: &str) {
        self.faults.lock().dropped.push((method.to_owned(), path_prefix.to_owned()));
    }

    /// Does what the next such request wants and leaves it without an answer, so that whoever asked can be killed meanwhile.
    pub fn hold_answer_next(&self, method: &str, path_prefix: &str) {
        self.faults.lock().held.push((method.to_owned(), path_prefix.to_owned()));
    }

    /// Closes each connection unanswered, until `back`.
    pub fn away(&self) {
        self.faults.lock().away = true;
    }

    pub fn back(&self) {
        self.faults.lock().away = false;
    }

    pub(crate) fn is_away(&self) -> bool {
        self.faults.lock().away
    }

    /// What was asked so far, oldest first; the log is bounded.
    pub fn requests(&self) -> Vec<Request> {
        self.faults.lock().log.iter().cloned().collect()
    }
}
