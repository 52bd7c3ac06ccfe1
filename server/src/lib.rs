//! Millrace: a self-hosted factory for coding agents. `docs/ARCHITECTURE.md` is the way in.

pub mod backend;
pub mod batch;
pub mod census;
pub mod changes;
pub mod cli;
pub mod client;
pub mod config;
pub mod cursor;
pub mod db;
pub mod diff;
pub mod http;
pub mod lifecycle;
pub mod metrics;
pub mod operations;
pub mod output;
pub mod queue;
pub mod runner;
pub mod secret;
pub mod sse;
pub mod tls;
pub mod tokens;
