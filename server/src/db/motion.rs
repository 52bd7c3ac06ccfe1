//! Connections for the few statements that each job needs.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, Result, pool::PoolConnection};

use super::IDLE;

/// Who only inserts needs no more: one statement makes many jobs.
const FEW: u32 = 4;

/// A pool that asks for less. Its own connections are asked for a sign of life whenever they come back, which is one more
/// round trip for each statement; these stay with whoever has just used them. Cloning is cheap.
#[derive(Clone)]
pub struct Motion {
    pool: PgPool,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

impl Motion {
    /// To the same database as `pool`; see [`with_kept_plans`].
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: with_kept_plans(pool), kept: Arc::default() }
    }

    /// The same with few connections, whose commits do not wait until they are on the disk; whoever has to know asks for
    /// [`flushed`].
    pub fn without_flushing(&self) -> Self {
        let connect = self.pool.connect_options().as_ref().clone().options([("synchronous_commit", "off")]);
        let options = self.pool.options().clone();
        let few = options.get_max_connections().min(FEW);
        Self { pool: options.max_connections(few).connect_lazy_with(connect), kept: Arc::default() }
    }

    pub async fn connection(&self) -> Result<MotionConnection> {
        let kept = self.kept().pop();
        let connection = match kept {
            Some(Kept { connection, since }) if since.elapsed() < IDLE => connection,
            // One that may have been lost meanwhile goes back, and the pool sees whether it was.
            _ => self.pool.acquire().await?,
        };
        Ok(MotionConnection { connection, motion: self.clone() })
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes back to the pool when dropped: something went wrong, or was given up in the middle.
pub struct MotionConnection {
    connection: PoolConnection<Postgres>,
    motion: Motion,
}

impl MotionConnection {
    /// All went well; the next statement can have it as it is.
    pub fn keep(self) {
        let Self { connection, motion } = self;
        motion.kept().push(Kept { connection, since: Instant::now() });
    }
}

impl Deref for MotionConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for MotionConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Connections to the same database that plan a statement once and keep the plan, for statements that look rows up by their
/// keys. Postgres would plan those that are given arrays anew each time, which costs more than to execute them. A plan that is
/// kept must be right for a full table although it may be made for an empty one, where reading all of it looks cheapest: so
/// these read no whole tables. Statements whose best plan depends on what they are given go to the other pool.
pub fn with_kept_plans(pool: &PgPool) -> PgPool {
    let connect = pool.connect_options().as_ref().clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ]);
    pool.options().clone().connect_lazy_with(connect)
}

/// Returns when everything that was committed before is as safe as Postgres keeps it: it writes an empty note behind it,
/// and waits for that.
pub async fn flushed(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query("SELECT pg_logical_emit_message(true, 'millrace', '')").execute(db).await.map(drop)
}
