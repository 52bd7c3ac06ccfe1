//! Millrace's own Postgres and Redis, started from the installed binaries and stopped in order.
//!
//! Nothing here is asynchronous: the callers are `millrace up`, the test harness and `cargo xtask`,
//! and each wants to have the servers before it does anything else.

mod account;
mod error;
mod guard;
mod home;
mod postgres;
pub mod programs;
mod redis;
mod scratch;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use postgres::{Postgres, PostgresOptions};
pub use redis::{Redis, RedisOptions};
pub use scratch::Scratch;

/// What a server does so that its data outlives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What was committed survives a power cut (Postgres) or loses at most a second (Redis).
    #[default]
    Durable,
    /// As fast as possible; the files are removed at the end. For tests.
    Throwaway,
}

/// That many random bytes as hexadecimal digits.
fn random_hex<const BYTES: usize>() -> Result<String, Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
