//! Tests of the whole server: a real Postgres, a real Redis, real git, and the real application on a port of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod harness;

mod accounts;
mod agent_programs;
mod agents;
mod answers;
mod bad_input;
mod cancel;
mod changes;
mod checkout;
mod cli;
mod client;
mod conversations;
mod github_app;
mod github_requests;
mod github_sign_in;
mod jobs_api;
mod lanes;
mod limits;
mod metrics;
mod openapi;
mod operations;
mod outages;
mod output;
mod pages;
mod permitted;
mod publish;
mod queue;
mod real_agents;
mod recovery;
mod redis_kinds;
mod retention;
mod retries;
mod sandbox;
mod schedules;
mod sessions;
mod sign_in;
mod state_machine;
mod streams;
mod survivors;
mod tokens;
mod transcript;
mod up;
mod verdicts;
mod webhooks;
