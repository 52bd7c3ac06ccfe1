//! The processes of the installation that is measured, and what Linux says of them.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::process::{Child, Command};

/// The release binary, which Cargo builds together with the bench.
pub const MILLRACE: &str = env!("CARGO_BIN_EXE_millrace");

/// What Linux counts processor time in, towards programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// One of Millrace's own processes; it is killed when this is dropped.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn start(subcommand: &str, environment: &[(String, String)], log: &Path) -> anyhow::Result<Self> {
        let child = command(environment)
            .arg(subcommand)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{MILLRACE} {subcommand}"))?;
        Ok(Self { child })
    }

    /// Kills it and waits until it is gone.
    pub async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Resident memory now, in megabytes.
    pub fn resident(&self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    /// The most memory that was ever resident, in megabytes.
    pub fn most_resident(&self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let value = text.lines().find_map(|line| line.strip_prefix(field)).context("Linux did not say")?;
        let kibibytes: f64 = value.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }

    /// Time that it has kept processors busy.
    pub fn busy(&self) -> anyhow::Result<Duration> {
        busy(&self.id()?.to_string())
    }

    fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the process has ended; see its log")
    }
}

/// Likewise, for the bench itself.
pub fn own_busy() -> anyhow::Result<Duration> {
    busy("self")
}

fn busy(id: &str) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The program's name comes first, in brackets, and may hold anything.
    let (_, fields) = text.rsplit_once(')').context("Linux did not say")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// Runs a subcommand to its end and gives what it printed.
pub async fn answer(arguments: &[&str], environment: &[(String, String)]) -> anyhow::Result<String> {
    let output = command(environment).args(arguments).output().await?;
    anyhow::ensure!(
        output.status.success(),
        "millrace {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn command(environment: &[(String, String)]) -> Command {
    let mut command = Command::new(MILLRACE);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}
