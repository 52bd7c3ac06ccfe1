//! The present time for everything that ticks: absent while the page is rendered and hydrated, because the server's clock
//! and the browser's never agree, and one beat a second from then on.

use std::time::Duration;

use leptos::prelude::*;

use crate::model::Timestamp;

/// The present time, `None` until the page is hydrated.
#[derive(Clone, Copy)]
pub struct Clock(ReadSignal<Option<Timestamp>>);

impl Clock {
    /// A clock that beats for as long as its owner lives.
    pub fn start() -> Self {
        let now = RwSignal::new(None);
        Effect::new(move |_| {
            let tick = move || now.set(Some(Timestamp(js_sys::Date::now() as i64)));
            tick();
            if let Ok(interval) = set_interval_with_handle(tick, Duration::from_secs(1)) {
                on_cleanup(move || interval.clear());
            }
        });
        Self(now.read_only())
    }

    pub fn now(self) -> Option<Timestamp> {
        self.0.get()
    }
}
