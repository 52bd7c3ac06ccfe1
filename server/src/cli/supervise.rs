//! The processes that `millrace up` keeps running: started again when they end by themselves, stopped in order.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// A part that ran this long before it ended is started again at once.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How long to wait before a part that keeps ending is started again: doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A log that is larger than this is begun anew at the next start.
const LOG_BYTES: u64 = 20 << 20;

/// One of `millrace`'s own subcommands as a process.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) subcommand: &'static str,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) log: PathBuf,
    /// How long it may take to stop before it is killed.
    pub(super) stop_limit: Duration,
}

impl Part {
    /// Keeps the part running until `stop`, and returns when it is gone; `hurry` makes it stop sooner.
    pub(super) async fn keep(self, stop: CancellationToken, hurry: CancellationToken) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let mut child = self.start()?;
            tokio::select! {
                ended = child.wait() => {
                    let status = ended?;
                    eprintln!("The {} ended ({status}) and is started again. Its log: {}", self.name, self.log.display());
                }
                () = stop.cancelled() => return self.end(child, &hurry).await,
            }
            pause =
                if started.elapsed() > STABLE_AFTER { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    fn start(&self) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("the program's own file cannot be found")?;
        let log = open_log(&self.log).with_context(|| format!("{} cannot be written", self.log.display()))?;
        Command::new(program)
            .arg(self.subcommand)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A Ctrl-C in the terminal is for `up` alone, which stops everything in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("the {} cannot be started", self.name))
    }

    async fn end(&self, mut child: Child, hurry: &CancellationToken) -> anyhow::Result<()> {
        terminate(&child);
        let ended = timeout(self.stop_limit, async {
            tokio::select! {
                ended = child.wait() => return ended.map(drop),
                () = hurry.cancelled() => {}
            }
            terminate(&child);
            child.wait().await.map(drop)
        });
        match ended.await {
            Ok(ended) => ended?,
            Err(_) => child.kill().await?,
        }
        Ok(())
    }
}

/// Asks it to stop. It may have ended by itself in this moment.
fn terminate(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let is_long = path.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES);
    OpenOptions::new().create(true).append(!is_long).write(true).truncate(is_long).open(path)
}
