//! A Postgres and a Redis for one run of tests, checks or the bench; nothing of them is left afterwards.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::error::{At, Error};
use crate::random_hex;
use crate::{Durability, Postgres, PostgresOptions, Redis, RedisOptions};

/// Where a bench writes: `/tmp` is often in memory, and there durability would cost nothing.
const DISK: &str = "/var/tmp";

/// Both servers, in a directory that goes with them. They end in the order of the fields.
#[derive(Debug)]
pub struct Scratch {
    pub redis: Redis,
    pub postgres: Postgres,
    _directory: Directory,
}

impl Scratch {
    /// As fast as possible, for tests and checks.
    ///
    /// # Errors
    /// As [`Postgres::start`] and [`Redis::start`].
    pub fn start() -> Result<Self, Error> {
        Self::start_in(Directory::new(env::temp_dir())?, Durability::Throwaway)
    }

    /// On the disk and as durable as `millrace up` runs them, for measuring.
    ///
    /// # Errors
    /// As [`Postgres::start`] and [`Redis::start`].
    pub fn start_durable() -> Result<Self, Error> {
        Self::start_in(Directory::new(PathBuf::from(DISK))?, Durability::Durable)
    }

    fn start_in(directory: Directory, durability: Durability) -> Result<Self, Error> {
        let postgres =
            Postgres::start(&PostgresOptions { data_dir: directory.0.join("postgres"), durability })?;
        let redis = Redis::start(&RedisOptions { data_dir: directory.0.join("redis"), durability })?;
        Ok(Self { redis, postgres, _directory: directory })
    }
}

#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new(parent: PathBuf) -> Result<Self, Error> {
        let path = parent.join(format!("millrace-scratch-{}", random_hex::<8>()?));
        // Others may pass but not look: started as root, Postgres runs as another user.
        DirBuilder::new().mode(0o711).create(&path).at(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
