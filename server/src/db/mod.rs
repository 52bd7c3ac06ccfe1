//! All SQL, one file a table. Functions take an executor, so that the caller owns the transaction.

pub mod accounts;
pub mod agent_runs;
pub mod answers;
pub mod attempts;
pub mod changes;
pub mod deliveries;
pub mod github_app;
pub mod github_threads;
pub mod idempotency;
pub mod installations;
mod job_counts;
mod jobs;
pub mod lanes;
mod motion;
pub mod operations;
pub mod output;
pub mod people;
mod queued;
pub mod quotas;
mod removal;
pub mod runners;
pub mod schedules;
pub mod sessions;
mod short_ids;
pub mod transitions;

pub use job_counts::{JobCount, job_counts};
pub use jobs::{
    Conversation, JobRow, NewJobRow, OwnedJob, Visible, conversation, figures, find, find_owned,
    finished_page, insert, insert_in_turn, page, repositories, running, usual_duration, waiting,
    with_request,
};
pub use motion::{Motion, flushed, with_kept_plans};
pub use queued::{
    Ahead, LaneCount, QueuedJob, ahead, lane_counts, next_scheduled, queued_count, queued_since,
    recent_starts, running_ids,
};
pub use removal::{Deleted, Stale, count_stale, delete, delete_stale, stale_examples};
pub use short_ids::ids_ending_with;

use anyhow::Context as _;
use app::model::Timestamp;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sqlx::{Connection as _, PgPool, postgres::PgPoolOptions};

use crate::config::DatabaseConfig;

/// A connection that was not used for this long may have been lost meanwhile.
const IDLE: std::time::Duration = std::time::Duration::from_millis(100);

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Opens the pool. Connections are made as they are needed, so this also succeeds while Postgres is starting.
pub async fn connect(config: &DatabaseConfig) -> anyhow::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(config.max_connections.get())
        .acquire_timeout(std::time::Duration::from_secs(5))
        // A connection that was in use a moment ago is not asked for a sign of life: that would be one round trip more for
        // every query.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect(config.url.expose_secret())
        .await
        .context("Postgres cannot be reached at the address in `database.url`")
}

/// Brings the schema up to date. Safe to run from many processes at once: the migrator takes a lock.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    MIGRATOR.run(pool).await.context("the database schema could not be brought up to date")
}

/// Asks Postgres for a sign of life.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(pool).await.map(drop)
}

/// Work that one process at a time does. The number is Postgres's name for the lock.
#[derive(Clone, Copy, Debug)]
pub enum Lock {
    Reconcile = 7101,
    Retain = 7102,
}

/// Takes the lock for the transaction behind `db` unless somebody else has it. A process that was stopped in the middle
/// loses it after a while, with the transaction.
pub async fn try_lock(db: impl sqlx::PgExecutor<'_>, lock: Lock) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock($1) AND set_config('idle_in_transaction_session_timeout', '10s', true) <> ''
               AS "taken!""#,
        lock as i64,
    )
    .fetch_one(db)
    .await
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp(time.timestamp_millis())
}

/// A count or number from Postgres, which has no unsigned types; all of ours are small and not negative.
fn unsigned(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// The other way round, for the same small numbers.
fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A word that only Millrace writes did not read back: the row is broken or from a newer version.
fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Classes of errors that go away by themselves: connections, rolled back transactions, resources, an operator's doing.
const PASSING: [&str; 6] = ["08", "40", "53", "55", "57", "58"];

/// Whether the same will work again by itself: Postgres is away, or could not do it in this moment.
pub fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            true
        }
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| PASSING.iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}
