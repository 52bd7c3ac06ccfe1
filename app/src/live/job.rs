//! One job and its output, as they change.

use std::ops::ControlFlow;

use leptos::prelude::*;
use serde::Deserialize;

use super::{FrameQueue, LiveState, StreamEvent, Subscription, subscribe};
use crate::model::{Job, JobId, Line};

/// What a job's event stream says.
pub enum JobEvent {
    Status(Box<Job>),
    /// Lines of the attempt that was asked for, in order.
    Output(Vec<Line>),
    /// The attempt has ended and all its lines were sent.
    Done,
    /// Something that the person should know.
    Problem(String),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    message: String,
}

/// Reads a job's stream from the line that `cursor` names. `attempt` 0 stands for a job that has not started yet.
/// `read` gets what arrived since the last frame.
pub fn follow_job(
    id: JobId,
    attempt: u32,
    cursor: Signal<u64>,
    state: LiveState,
    read: impl Fn(Vec<JobEvent>) + 'static,
) -> Subscription {
    let queue = FrameQueue::new(read);
    let address = move || {
        let after = cursor.try_get_untracked().unwrap_or_default();
        if attempt == 0 {
            format!("/api/jobs/{id}/stream?batch=1")
        } else {
            format!("/api/jobs/{id}/stream?batch=1&attempt={attempt}&after={after}")
        }
    };
    subscribe(address, format!("/api/jobs/{id}"), &["status", "output", "done"], state, move |event| {
        let StreamEvent::Message { name, data } = event else {
            return ControlFlow::Continue(());
        };
        let event = parse(name, &data);
        let done = matches!(event, Some(JobEvent::Done));
        queue.extend(event);
        if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

fn parse(name: &str, data: &str) -> Option<JobEvent> {
    match name {
        "status" => serde_json::from_str(data).ok().map(|job| JobEvent::Status(Box::new(job))),
        "output" => serde_json::from_str(data).ok().map(JobEvent::Output),
        "done" => Some(JobEvent::Done),
        // Expired streams are reopened by themselves.
        _ => serde_json::from_str::<Problem>(data)
            .ok()
            .filter(|problem| problem.code != "expired")
            .map(|problem| JobEvent::Problem(problem.message)),
    }
}
