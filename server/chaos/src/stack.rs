//! Postgres and Redis, which are emptied, restarted, killed and cut off.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use millrace_stack::{Durability, Postgres, PostgresOptions, Redis, RedisOptions};
use sqlx::Connection as _;
use tokio::{sync::Mutex, task::spawn_blocking, time::sleep};

pub struct Stack {
    pub postgres_url: String,
    pub redis_url: String,
    directory: PathBuf,
    // Taken out while they are away.
    postgres: Mutex<Option<Postgres>>,
    redis: Mutex<Option<Redis>>,
}

/// How a server is brought down.
#[derive(Clone, Copy, Debug)]
pub enum Fall {
    InOrder,
    Killed,
}

impl Stack {
    pub async fn start(directory: PathBuf) -> anyhow::Result<Self> {
        let postgres = start_postgres(directory.join("postgres")).await?;
        let redis = start_redis(directory.join("redis")).await?;
        Ok(Self {
            postgres_url: postgres.url().to_owned(),
            redis_url: redis.url().to_owned(),
            directory,
            postgres: Mutex::new(Some(postgres)),
            redis: Mutex::new(Some(redis)),
        })
    }

    /// Brings Postgres down, and up again after `down`.
    pub async fn restart_postgres(&self, fall: Fall, down: Duration) -> anyhow::Result<()> {
        let mut slot = self.postgres.lock().await;
        let postgres = slot.take().context("Postgres did not start again")?;
        spawn_blocking(move || match fall {
            Fall::InOrder => postgres.stop(),
            Fall::Killed => postgres.crash(),
        })
        .await??;
        sleep(down).await;
        *slot = Some(start_postgres(self.directory.join("postgres")).await?);
        Ok(())
    }

    /// Likewise. A killed Redis comes back with what it had written a moment before.
    pub async fn restart_redis(&self, fall: Fall, down: Duration) -> anyhow::Result<()> {
        let mut slot = self.redis.lock().await;
        let redis = slot.take().context("Redis did not start again")?;
        spawn_blocking(move || match fall {
            Fall::InOrder => redis.stop(),
            Fall::Killed => redis.crash(),
        })
        .await??;
        sleep(down).await;
        *slot = Some(start_redis(self.directory.join("redis")).await?);
        Ok(())
    }

    pub async fn empty_redis(&self) -> anyhow::Result<()> {
        let _running = self.redis.lock().await;
        self.redis_command(&["FLUSHALL"]).await
    }

    pub async fn cut_redis(&self) -> anyhow::Result<()> {
        let _running = self.redis.lock().await;
        self.redis_command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await?;
        self.redis_command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await
    }

    pub async fn cut_postgres(&self) -> anyhow::Result<()> {
        let _running = self.postgres.lock().await;
        let mut connection = sqlx::PgConnection::connect(&self.postgres_url).await?;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        )
        .execute(&mut connection)
        .await?;
        connection.close().await?;
        Ok(())
    }

    /// How many slots Redis has as taken, by lane.
    pub async fn held_slots(&self) -> anyhow::Result<Vec<(String, u64)>> {
        self.sizes("*:active:*", "SCARD").await
    }

    /// How many claims stand in the lists of runners. They take no slot; that nobody removes them would only be untidy.
    pub async fn left_claims(&self) -> anyhow::Result<u64> {
        Ok(self.sizes("*:running:*", "LLEN").await?.iter().map(|(_, count)| count).sum())
    }

    async fn sizes(&self, pattern: &str, size: &str) -> anyhow::Result<Vec<(String, u64)>> {
        let mut connection = self.redis_connection().await?;
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await?;
        let mut sizes = Vec::new();
        for key in keys {
            let size: u64 = redis::cmd(size).arg(&key).query_async(&mut connection).await?;
            if size > 0 {
                sizes.push((key, size));
            }
        }
        Ok(sizes)
    }

    async fn redis_command(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut connection = self.redis_connection().await?;
        Ok(redis::cmd(words[0]).arg(&words[1..]).exec_async(&mut connection).await?)
    }

    async fn redis_connection(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        Ok(redis::Client::open(self.redis_url.as_str())?.get_multiplexed_async_connection().await?)
    }
}

async fn start_postgres(data_dir: PathBuf) -> anyhow::Result<Postgres> {
    let options = PostgresOptions { data_dir, durability: Durability::Durable };
    Ok(spawn_blocking(move || Postgres::start(&options)).await??)
}

async fn start_redis(data_dir: PathBuf) -> anyhow::Result<Redis> {
    let options = RedisOptions { data_dir, durability: Durability::Durable };
    Ok(spawn_blocking(move || Redis::start(&options)).await??)
}
