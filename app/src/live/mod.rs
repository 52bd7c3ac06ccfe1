//! Live updates: server-sent events as signals.
