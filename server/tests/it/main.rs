//! Tests of the whole server: a real Postgres, a real Redis, real git, and the real application on a port of its own.

mod harness;

mod cancel;
mod checkout;
mod jobs_api;
mod queue;
