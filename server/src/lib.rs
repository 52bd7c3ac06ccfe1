//! Millrace: a self-hosted factory for coding agents. `docs/ARCHITECTURE.md` is the way in.

pub mod answers;
pub mod backend;
pub mod batch;
pub mod changes;
pub mod cli;
pub mod client;
pub mod config;
pub mod connection;
pub mod cursor;
pub mod db;
pub mod deliveries;
pub mod diff;
pub mod github;
pub mod http;
pub mod lifecycle;
pub mod metrics;
pub mod operations;
pub mod output;
pub mod queue;
pub mod runner;
pub mod seal;
pub mod secret;
pub mod sse;
pub mod tls;
pub mod tokens;
pub mod webhooks;
