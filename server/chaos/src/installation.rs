//! What is broken: two servers, two runners, a Postgres and a Redis.

use std::{
    fs::{OpenOptions, Permissions},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{client::Client, ledger::Ledger, marks::now, part::Part, stack::Stack};

/// Short, so that many run out while things are broken.
pub const LEASE: Duration = Duration::from_secs(3);
pub const CONCURRENCY: usize = 8;
const SLOTS: usize = 5;
/// When nothing has moved for so long although nothing is broken any more, it never will.
const DRY_AFTER: Duration = Duration::from_secs(30);
/// Where the files go: `/tmp` is often in memory, and a Postgres that is killed there has nothing to recover from.
const DISK: &str = "/var/tmp";

pub struct Installation {
    pub servers: [Part; 2],
    pub runners: [Part; 2],
    pub stack: Stack,
    pub client: Client,
    /// `None` once it is to be kept.
    directory: Mutex<Option<TempDir>>,
    path: PathBuf,
}

impl Installation {
    pub async fn start(program: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("millrace-chaos-")
            // Started as root, Postgres runs as another user, who has to pass.
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(DISK)?;
        let path = directory.path().to_owned();
        std::fs::create_dir(path.join("marks"))?;
        make_repository(&path.join("repository")).await?;
        let stack = Stack::start(path.clone()).await?;
        let addresses = free_addresses()?;
        let program = std::path::absolute(program)?;
        let environment = environment(&stack);
        let token = answer(&program, &["token", "create"], &environment).await?;
        let part = |name: String, arguments: &[&str]| {
            let mut own = environment.clone();
            own.push(("MILLRACE_SERVER__DATA_DIR".to_owned(), path.join(&name).display().to_string()));
            own.push(("MILLRACE_RUNNER__NAME".to_owned(), name.clone()));
            let log = path.join(format!("{name}.log"));
            let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            Part::new(name, program.clone(), arguments, own, log)
        };
        let server = |index: usize| {
            part(format!("server{index}"), &["serve", "--listen", &addresses[index].to_string()])
        };
        let runner = |index: usize| part(format!("runner{index}"), &["run"]);
        let installation = Self {
            servers: [server(0), server(1)],
            runners: [runner(0), runner(1)],
            client: Client::new(addresses, &token)?,
            stack,
            directory: Mutex::new(Some(directory)),
            path,
        };
        installation.keep_once()?;
        installation.wait_until_ready(Duration::from_secs(60)).await?;
        Ok(installation)
    }

    /// Starts parts again that have ended, for ever.
    pub async fn keep_parts(self: Arc<Self>) {
        loop {
            if let Err(error) = self.keep_once() {
                eprintln!("error: {error:#}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn keep_once(&self) -> anyhow::Result<()> {
        self.parts().try_for_each(Part::keep)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.servers.iter().chain(&self.runners)
    }

    pub fn repository(&self) -> PathBuf {
        self.path.join("repository")
    }

    /// Where the jobs leave their marks.
    pub fn marks(&self) -> PathBuf {
        self.path.join("marks")
    }

    /// Leaves the files where they are, for somebody to look at.
    pub fn keep_directory(&self) -> PathBuf {
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner).take();
        directory.map_or_else(|| self.path.clone(), TempDir::keep)
    }

    async fn wait_until_ready(&self, limit: Duration) -> anyhow::Result<()> {
        let begin = Instant::now();
        for server in 0..self.servers.len() {
            while !self.client.is_ready(server).await {
                ensure!(
                    begin.elapsed() < limit,
                    "server{server} does not get ready; see {}",
                    self.path.display()
                );
                self.keep_once()?;
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Waits until every job has ended and every slot is free, or nothing has moved for a long time.
    ///
    /// # Errors
    /// When the servers do not even answer.
    pub async fn run_dry(&self, ledger: &Ledger) -> anyhow::Result<()> {
        for part in self.parts() {
            part.thaw();
        }
        self.wait_until_ready(DRY_AFTER).await?;
        let mut left = (usize::MAX, u64::MAX);
        let mut moved = Instant::now();
        while left != (0, 0) && moved.elapsed() < DRY_AFTER {
            let held = self.stack.held_slots().await.unwrap_or_default();
            let now_left = (ledger.unsettled().len(), held.iter().map(|(_, count)| count).sum());
            if now_left != left {
                (left, moved) = (now_left, Instant::now());
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// Writes down when something was broken, for whoever looks for the cause of a finding.
    pub fn note(&self, what: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.path.join("faults.log"));
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{} {what}", now().0)) {
            eprintln!("error: {error}");
        }
    }
}

fn environment(stack: &Stack) -> Vec<(String, String)> {
    [
        ("MILLRACE_DATABASE__URL", stack.postgres_url.clone()),
        ("MILLRACE_REDIS__URL", stack.redis_url.clone()),
        ("MILLRACE_QUEUE__LEASE_SECONDS", LEASE.as_secs().to_string()),
        ("MILLRACE_QUEUE__CONCURRENCY", CONCURRENCY.to_string()),
        ("MILLRACE_QUEUE__RATE_PER_MINUTE", "0".to_owned()),
        ("MILLRACE_QUEUE__BACKOFF_MS", "200".to_owned()),
        ("MILLRACE_RUNNER__SLOTS", SLOTS.to_string()),
        ("MILLRACE_RUNNER__LOCAL_REPOSITORIES", "allow".to_owned()),
        ("MILLRACE_RUNNER__KILL_AFTER_SECONDS", "1".to_owned()),
        ("MILLRACE_LOG__LEVEL", "info,sqlx::postgres::notice=warn".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// Two that were free a moment ago.
fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok([one.local_addr()?, other.local_addr()?])
}

async fn answer(
    program: &Path,
    arguments: &[&str],
    environment: &[(String, String)],
) -> anyhow::Result<String> {
    let environment = environment.iter().map(|(name, value)| (name, value));
    let output = Command::new(program).args(arguments).envs(environment).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} {}: {errors}", program.display(), arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A repository with one commit.
async fn make_repository(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(path)?;
    std::fs::write(path.join("README"), "A repository for jobs that are broken.\n")?;
    let commit =
        ["-c", "user.name=chaos", "-c", "user.email=chaos@localhost", "commit", "--quiet", "--message=First"];
    for arguments in [&["init", "--quiet"][..], &["add", "README"], &commit] {
        let status = Command::new("git").args(arguments).current_dir(path).status().await.context("git")?;
        ensure!(status.success(), "git {} failed", arguments.join(" "));
    }
    Ok(())
}
