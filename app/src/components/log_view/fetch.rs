//! Fetching the lines that somebody scrolled to.

use std::time::Duration;

use gloo_net::http::Request;
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};
use web_sys::AbortController;

use super::{lines::FETCH, log::Log};
use crate::model::{JobId, OutputPage};

/// Requests wait so long, so that scrolling past lines does not ask for them.
const DEBOUNCE: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_secs(2);

/// A request that is given up when it is dropped.
struct Fetch {
    after: u64,
    attempt: u32,
    timer: Option<TimeoutHandle>,
    abort: Option<AbortController>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            timer.clear();
        }
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// Keeps the lines on the screen there, whatever is scrolled to.
pub fn fetch_missing(log: Log, id: JobId, attempt: u32) {
    let failures = RwSignal::new(0_u32);
    Effect::new(move |running: Option<Option<Fetch>>| {
        let (first, last) = log.shown.get();
        let failed = failures.get();
        let after = log.lines.with(|lines| lines.missing(&(first..=last)))?;
        match running.flatten() {
            Some(running) if running.after == after && running.attempt == failed => Some(running),
            _ => {
                let abort = AbortController::new().ok();
                let signal = abort.as_ref().map(AbortController::signal);
                let request = move || {
                    spawn_local(async move {
                        let address =
                            format!("/api/jobs/{id}/output?attempt={attempt}&after={after}&limit={FETCH}");
                        let answer = Request::get(&address).abort_signal(signal.as_ref()).send().await;
                        let page = match answer {
                            Ok(answer) if answer.ok() => answer.json::<OutputPage>().await.ok(),
                            _ => None,
                        };
                        match page {
                            Some(page) => log.insert(page.lines),
                            None if signal.is_none_or(|signal| !signal.aborted()) => set_timeout(
                                move || {
                                    let _ = failures.try_update(|failures| *failures += 1);
                                },
                                RETRY,
                            ),
                            None => {}
                        }
                    });
                };
                let timer = set_timeout_with_handle(request, DEBOUNCE).ok();
                Some(Fetch { after, attempt: failed, timer, abort })
            }
        }
    });
}
