//! Servers for a single test, for what would disturb the others: emptied, cut off, stopped and started again.

use std::{fs::Permissions, os::unix::fs::PermissionsExt};

use millrace::db;
use millrace_stack::{Durability, Postgres, PostgresOptions, Redis, RedisOptions};
use sqlx::PgPool;
use tempfile::TempDir;

/// A Redis whose address a test passes as `MILLRACE_REDIS__URL`.
pub struct OwnRedis {
    server: Option<Redis>,
    url: String,
    directory: TempDir,
}

impl OwnRedis {
    pub fn start() -> Self {
        let directory = directory();
        let server = Redis::start(&redis_options(&directory)).unwrap();
        Self { url: server.url().to_owned(), server: Some(server), directory }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a command, e.g. `FLUSHALL`.
    pub fn command(&self, words: &[&str]) {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).exec(&mut connection).unwrap();
    }

    /// How often a command was called, by clients and by scripts.
    pub fn calls(&self, command: &str) -> usize {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let statistics: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
        let calls = statistics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))?.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    /// Stops it; what was in it is gone.
    pub fn stop(&mut self) {
        self.server.take().unwrap().stop().unwrap();
    }

    /// Starts it again at the same address, empty.
    pub fn start_again(&mut self) {
        let server = Redis::start(&redis_options(&self.directory)).unwrap();
        assert_eq!(server.url(), self.url);
        self.server = Some(server);
    }
}

/// A migrated Postgres whose address a test passes as `MILLRACE_DATABASE__URL`. What was committed survives a stop.
pub struct OwnPostgres {
    server: Option<Postgres>,
    url: String,
    directory: TempDir,
}

impl OwnPostgres {
    pub async fn start() -> Self {
        let directory = directory();
        let server = Postgres::start(&postgres_options(&directory)).unwrap();
        let pool = PgPool::connect(server.url()).await.unwrap();
        db::migrate(&pool).await.unwrap();
        pool.close().await;
        Self { url: server.url().to_owned(), server: Some(server), directory }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn stop(&mut self) {
        self.server.take().unwrap().stop().unwrap();
    }

    /// Starts it again at the same address, with what was in it.
    pub fn start_again(&mut self) {
        let server = Postgres::start(&postgres_options(&self.directory)).unwrap();
        assert_eq!(server.url(), self.url);
        self.server = Some(server);
    }
}

fn directory() -> TempDir {
    // Started as root, Postgres runs as another user, who has to pass.
    tempfile::Builder::new()
        .prefix("millrace-test-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .unwrap()
}

fn redis_options(directory: &TempDir) -> RedisOptions {
    RedisOptions { data_dir: directory.path().join("redis"), durability: Durability::Throwaway }
}

fn postgres_options(directory: &TempDir) -> PostgresOptions {
    PostgresOptions { data_dir: directory.path().join("postgres"), durability: Durability::Durable }
}
