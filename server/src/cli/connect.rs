//! Finding Postgres and Redis: where the settings say, or those that `millrace up` runs in the data directory.

use std::process::ExitCode;

use anyhow::bail;
use secrecy::ExposeSecret;
use sqlx::PgPool;

use crate::{
    config::{Config, DatabaseConfig, RedisConfig},
    db,
    lifecycle::Lifecycle,
    queue::Queue,
};

const NONE: &str =
    "is set neither in the configuration nor in the environment, and no `millrace up` is running in";

/// The settings with an address in them.
pub(super) fn database(config: &Config) -> anyhow::Result<DatabaseConfig> {
    if !config.database.url.expose_secret().is_empty() {
        return Ok(config.database.clone());
    }
    let directory = config.server.data_dir.join("postgres");
    match millrace_stack::Postgres::url_in(&directory)? {
        Some(url) => Ok(DatabaseConfig { url: url.into(), ..config.database.clone() }),
        None => bail!("DATABASE_URL {NONE} {}", config.server.data_dir.display()),
    }
}

/// The settings with an address in them.
pub(super) fn redis(config: &Config) -> anyhow::Result<RedisConfig> {
    if !config.redis.url.expose_secret().is_empty() {
        return Ok(config.redis.clone());
    }
    match millrace_stack::Redis::url_in(&config.server.data_dir.join("redis"))? {
        Some(url) => Ok(RedisConfig { url: url.into(), ..config.redis.clone() }),
        None => bail!("REDIS_URL {NONE} {}", config.server.data_dir.display()),
    }
}

pub(super) async fn pool(config: &Config) -> anyhow::Result<PgPool> {
    db::connect(&database(config)?).await
}

/// Both, with the schema brought up to date.
pub(super) async fn lifecycle(config: &Config) -> anyhow::Result<Lifecycle> {
    let db = pool(config).await?;
    db::migrate(&db).await?;
    let queue = Queue::connect(&redis(config)?).await?;
    Ok(Lifecycle::new(db, queue, config.queue.clone()))
}

pub(super) async fn migrate(config: Config) -> anyhow::Result<ExitCode> {
    db::migrate(&pool(&config).await?).await?;
    println!("The database schema is up to date.");
    Ok(ExitCode::SUCCESS)
}
