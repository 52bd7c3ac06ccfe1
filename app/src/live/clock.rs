//! The present time for everything that ticks: absent while the page is rendered and hydrated, because the server's clock
//! and the browser's never agree, and one beat a second from then on.

use std::time::Duration;

use leptos::prelude::*;

use crate::model::Timestamp;

/// The present time, `None` until the page is hydrated.
#[derive(Clone, Copy)]
pub struct Clock(ReadSignal<Option<Timestamp>>);

impl Clock {
    /// The page's clock. Without one, as in a test, the time stays unknown.
    pub fn of_page() -> Self {
        use_context::<Self>().unwrap_or_else(|| Self(RwSignal::new(None).read_only()))
    }

    pub fn now(self) -> Option<Timestamp> {
        self.0.get()
    }
}

/// Starts the page's clock.
pub fn provide_clock() {
    let now = RwSignal::new(None);
    provide_context(Clock(now.read_only()));

    Effect::new(move |_| {
        let tick = move || now.set(Some(Timestamp(js_sys::Date::now() as i64)));
        tick();
        if let Ok(interval) = set_interval_with_handle(tick, Duration::from_secs(1)) {
            on_cleanup(move || interval.clear());
        }
    });
}
