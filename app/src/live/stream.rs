//! One server-sent event stream that stays: it reconnects from its reader's cursor, and it is closed while nobody can see
//! the page, because a browser grants only six connections to a host.

use std::{cell::RefCell, ops::ControlFlow, rc::Rc, time::Duration};

use leptos::{
    ev,
    leptos_dom::helpers::{TimeoutHandle, WindowListenerHandle},
    prelude::*,
    task::spawn_local,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent, VisibilityState};

use super::{Connection, LiveState, ask, connection::Reporter, show_problem};
use crate::model::ApiError;

/// What a reader of a stream gets.
pub enum StreamEvent<'a> {
    /// The connection stands. What happened before is not sent: ask for it.
    Opened,
    Message {
        name: &'a str,
        data: String,
    },
}

type Reader = dyn Fn(StreamEvent<'_>) -> ControlFlow<()>;

/// A stream that is read until this is dropped.
pub struct Subscription {
    stream: Rc<Stream>,
    listeners: Vec<WindowListenerHandle>,
}

struct Stream {
    address: Box<dyn Fn() -> String>,
    door: String,
    events: &'static [&'static str],
    read: Box<Reader>,
    state: Reporter,
    source: RefCell<Option<Source>>,
    retry: RefCell<Option<TimeoutHandle>>,
    failures: RefCell<u32>,
    ended: RefCell<bool>,
}

/// An open connection together with the closures that it calls.
struct Source {
    source: EventSource,
    _listener: Closure<dyn Fn(Event)>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// Reads the stream at `address`, which is asked again for each connection so that it can name the cursor. `read` gets the
/// named events until it breaks; the connection then stays closed. `door` is an address that is refused to whoever the stream
/// is refused to, and says why: an event source does not.
pub fn subscribe(
    address: impl Fn() -> String + 'static,
    door: String,
    events: &'static [&'static str],
    state: LiveState,
    read: impl Fn(StreamEvent<'_>) -> ControlFlow<()> + 'static,
) -> Subscription {
    let stream = Rc::new(Stream {
        address: Box::new(address),
        door,
        events,
        read: Box::new(read),
        state: state.claim(),
        source: RefCell::default(),
        retry: RefCell::default(),
        failures: RefCell::default(),
        ended: RefCell::default(),
    });
    stream.report(Connection::Reconnecting);
    stream.open();

    let (seen, online, offline) = (Rc::clone(&stream), Rc::clone(&stream), Rc::clone(&stream));
    let listeners = vec![
        window_event_listener_untyped("visibilitychange", move |_| seen.reopen_if_visible()),
        window_event_listener(ev::online, move |_| online.reopen_if_visible()),
        window_event_listener(ev::offline, move |_| {
            offline.close();
            offline.report(Connection::Offline);
        }),
    ];
    Subscription { stream, listeners }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.end(Connection::None);
        for listener in self.listeners.drain(..) {
            listener.remove();
        }
    }
}

impl Stream {
    fn open(self: &Rc<Self>) {
        if *self.ended.borrow() || is_hidden() {
            return;
        }
        let Ok(source) = EventSource::new(&(self.address)()) else {
            return self.retry();
        };
        let stream = Rc::downgrade(self);
        let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| {
            if let Some(stream) = stream.upgrade() {
                stream.receive(&event);
            }
        });
        let callback = listener.as_ref().unchecked_ref();
        for name in self.events.iter().chain(&["open", "error"]) {
            // Fails only for a listener that is no function.
            let _ = source.add_event_listener_with_callback(name, callback);
        }
        *self.source.borrow_mut() = Some(Source { source, _listener: listener });
    }

    fn receive(self: &Rc<Self>, event: &Event) {
        let name = event.type_();
        let event = match event.dyn_ref::<MessageEvent>() {
            Some(message) => {
                StreamEvent::Message { name: &name, data: message.data().as_string().unwrap_or_default() }
            }
            None if name == "open" => {
                *self.failures.borrow_mut() = 0;
                self.report(Connection::Live);
                StreamEvent::Opened
            }
            None => return self.retry(),
        };
        if (self.read)(event).is_break() {
            self.end(Connection::None);
        }
    }

    /// Tries again soon: after 1 s, 2 s, 4 s, and every 8 s from then on.
    fn retry(self: &Rc<Self>) {
        self.close();
        self.report(if window().navigator().on_line() {
            Connection::Reconnecting
        } else {
            Connection::Offline
        });
        let failures = self.failures.replace_with(|failures| *failures + 1);
        let stream = Rc::downgrade(self);
        let handle = set_timeout_with_handle(
            move || {
                if let Some(stream) = stream.upgrade() {
                    stream.open();
                }
            },
            Duration::from_secs(1 << failures.min(3)),
        );
        *self.retry.borrow_mut() = handle.ok();
        // Once is a server that restarts, or a stream that was open long enough.
        if failures > 0 {
            self.end_if_refused();
        }
    }

    /// Ends where trying again is no use: the session is over, or what the page shows is gone.
    fn end_if_refused(self: &Rc<Self>) {
        let stream = Rc::clone(self);
        spawn_local(async move {
            if let Err(error @ (ApiError::SignIn | ApiError::NotFound(_))) = ask(&stream.door).await {
                show_problem(&error);
                stream.end(Connection::Refused);
            }
        });
    }

    fn reopen_if_visible(self: &Rc<Self>) {
        if is_hidden() {
            self.close();
        } else if self.source.borrow().is_none() && !*self.ended.borrow() {
            self.close();
            self.report(Connection::Reconnecting);
            self.open();
        }
    }

    fn close(&self) {
        if let Some(retry) = self.retry.take() {
            retry.clear();
        }
        self.source.take();
    }

    fn end(&self, connection: Connection) {
        if !self.ended.replace(true) {
            self.close();
            self.state.report(connection);
        }
    }

    fn report(&self, connection: Connection) {
        if !*self.ended.borrow() {
            self.state.report(connection);
        }
    }
}

fn is_hidden() -> bool {
    document().visibility_state() == VisibilityState::Hidden
}
