//! What is measured: a server on a free port, and Postgres and Redis of its own.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use millrace::{
    config::{self, Config, Overrides},
    db,
    lifecycle::Lifecycle,
    queue::Queue,
};
use millrace_stack::Scratch;
use tokio::net::TcpStream;

use crate::{
    client::Client,
    process::{self, Process},
};

/// As many as the largest runner here has.
pub const SLOTS: u32 = 50;

/// The fields end in this order: the server before what it uses.
pub struct Installation {
    pub server: Process,
    pub address: SocketAddr,
    pub token: String,
    environment: Vec<(String, String)>,
    directory: tempfile::TempDir,
    _scratch: Scratch,
}

impl Installation {
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// With settings by the names of their environment variables.
    pub async fn with(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let scratch = tokio::task::block_in_place(Scratch::start_durable)?;
        let directory = tempfile::tempdir()?;
        make_repository(&directory.path().join("repository"))?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let data_dir = directory.path().join("data");
        let environment = [
            ("MILLRACE_SERVER__LISTEN", address.to_string()),
            ("MILLRACE_SERVER__DATA_DIR", data_dir.display().to_string()),
            ("MILLRACE_DATABASE__URL", scratch.postgres.url().to_owned()),
            ("MILLRACE_REDIS__URL", scratch.redis.url().to_owned()),
            ("MILLRACE_RUNNER__LOCAL_REPOSITORIES", "allow".to_owned()),
            ("MILLRACE_QUEUE__RATE_PER_MINUTE", "0".to_owned()),
            ("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "0".to_owned()),
            // Of runners' slots, which are what is measured: a job holds its place in the lane until its end is committed,
            // and its slot only until it has ended.
            ("MILLRACE_QUEUE__CONCURRENCY", (4 * SLOTS).to_string()),
        ]
        .into_iter()
        .chain(settings.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Vec<_>>();
        let token = process::answer(&["token", "create"], &environment).await?;
        let log = directory.path().join("server.log");
        let server = Process::start("serve", &environment, &log)?;
        wait_for(address).await.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self { server, address, token, environment, directory, _scratch: scratch })
    }

    pub async fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address, &self.token).await
    }

    /// The repository that jobs name.
    pub fn repository(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    /// A path that does not exist yet.
    pub fn fresh_path(&self) -> PathBuf {
        self.directory.path().join(uuid::Uuid::now_v7().to_string())
    }

    /// A real runner as a process of its own.
    pub fn start_runner(&self) -> anyhow::Result<Process> {
        Process::start("run", &self.environment, &self.directory.path().join("runner.log"))
    }

    /// The settings of a runner inside the bench, which takes as many jobs at once as it has slots.
    pub fn config(&self, slots: u32) -> anyhow::Result<Arc<Config>> {
        let own = [("MILLRACE_RUNNER__SLOTS".to_owned(), slots.to_string())];
        let file = self.environment.iter().find(|(name, _)| name == "MILLRACE_CONFIG");
        let file = file.map(|(_, path)| Path::new(path));
        let environment = self.environment.iter().cloned().chain(own);
        Ok(Arc::new(config::load(file, environment, &Overrides::default())?))
    }

    /// The bench's own way to Postgres and Redis.
    pub async fn lifecycle(&self, config: &Config) -> anyhow::Result<Lifecycle> {
        let (db, queue) = (db::connect(&config.database).await?, Queue::connect(&config.redis).await?);
        Ok(Lifecycle::new(db, queue, config.queue.clone()))
    }
}

async fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    let begin = Instant::now();
    while let Err(error) = TcpStream::connect(address).await {
        ensure!(begin.elapsed() < Duration::from_secs(30), "the server does not answer: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A repository with one commit.
fn make_repository(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::write(path.join("README"), "A repository for the bench.\n")?;
    let commit =
        ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "--message=First"];
    for arguments in [&["init", "--quiet"][..], &["add", "README"], &commit] {
        let status = Command::new("git").args(arguments).current_dir(path).status()?;
        ensure!(status.success(), "git {} failed", arguments.join(" "));
    }
    Ok(())
}
