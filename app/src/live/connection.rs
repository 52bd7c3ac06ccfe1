//! How the page's live connection stands: the drop in the top bar shows it.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// This page has nothing that changes.
    None,
    Live,
    /// The connection was lost or is not there yet; it is tried again by itself.
    Reconnecting,
    /// The browser says that it has no network.
    Offline,
    /// The server does not let this page have news any more; a notice says why.
    Refused,
}

impl Connection {
    const fn label(self) -> &'static str {
        match self {
            Self::None => "Nothing on this page changes by itself",
            Self::Live => "Live: changes appear as they happen",
            Self::Reconnecting => "Reconnecting: what you see may be a moment old",
            Self::Offline => "Offline: reconnects when the network is back",
            Self::Refused => "Not live any more: what you see may be old",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Live => "live",
            Self::Reconnecting => "reconnecting",
            Self::Offline => "offline",
            Self::Refused => "refused",
        }
    }
}

/// The connection of the page that is shown.
#[derive(Clone, Copy)]
pub struct LiveState {
    shown: RwSignal<Connection>,
    /// Counts the streams that were opened: the last one speaks for the page.
    streams: StoredValue<u32>,
}

#[expect(clippy::new_without_default, reason = "it makes signals, which belong to whoever asks for them")]
impl LiveState {
    pub fn new() -> Self {
        Self { shown: RwSignal::new(Connection::None), streams: StoredValue::new(0) }
    }

    pub fn get(self) -> Connection {
        self.shown.get()
    }

    pub(super) fn claim(self) -> Reporter {
        let number = self.streams.get_value() + 1;
        self.streams.set_value(number);
        Reporter { state: self, number }
    }
}

/// A stream's right to say how the page's connection stands, which ends when the next stream is opened.
pub(super) struct Reporter {
    state: LiveState,
    number: u32,
}

impl Reporter {
    pub fn report(&self, connection: Connection) {
        if self.state.streams.get_value() == self.number && self.state.shown.get_untracked() != connection {
            self.state.shown.set(connection);
            show(connection);
        }
    }
}

/// Fills the drop in the top bar, which is no part of any island.
fn show(connection: Connection) {
    if let Some(drop) = document().get_element_by_id("connection") {
        for (name, value) in [
            ("data-connection", connection.as_str()),
            ("title", connection.label()),
            ("aria-label", connection.label()),
        ] {
            // Fails for no name that a browser accepts.
            let _ = drop.set_attribute(name, value);
        }
    }
}
