//! Keeps what an attempt runs from the rest of the machine: bubblewrap around it, a proxy as its only way out, and limits
//! for what it may use up.
//!
//! ```text
//! runner ── bwrap ──▷ millrace inside (first process) ──▷ the program
//!    ▲                      │  127.0.0.1:3128
//!    └──── unix socket ─────┘
//! ```
//!
//! Inside there are the system's programs and libraries, the configured tool chains, a working tree, a home and a /tmp;
//! a user without privileges; its own processes; and a network that consists of its own loopback.

mod bubblewrap;
mod cgroup;
mod egress;
pub mod inside;
mod limits;
mod report;
mod view;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use app::model::Protection;
use tokio::{process::Command, sync::mpsc};

pub(super) use self::limits::Bytes;
use self::{bubblewrap::Bubblewrap, cgroup::Group, egress::Proxy, report::Reporting};
pub use self::{
    egress::{KeptKey, Provider, Refusal, RefusalReason, TrafficFigures},
    limits::{LimitHit, Limits, Resource},
};
use crate::config::{HostPattern, SandboxConfig, SandboxMode};

/// How this runner keeps its attempts from the machine.
#[derive(Debug)]
pub struct Sandbox(State);

#[derive(Debug)]
enum State {
    Works(Box<Bubblewrap>),
    /// Programs run unprotected, and why.
    Unprotected(String),
    /// Nothing runs, and why.
    Refused(Unusable),
}

/// Why there is no sandbox, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unusable {
    #[error("bubblewrap is not installed. Install it, e.g. with: apt-get install bubblewrap")]
    Missing,
    #[error("{0} is too old; version {oldest} is needed", oldest = bubblewrap::OLDEST)]
    TooOld(String),
    #[error(
        "the kernel lets no ordinary user make namespaces ({0}). Allow it: sysctl kernel.unprivileged_userns_clone=1 or, \
         where AppArmor keeps them from it, sysctl kernel.apparmor_restrict_unprivileged_userns=0. In a container it needs \
         a seccomp profile that allows `unshare` and `mount`"
    )]
    NoNamespaces(String),
    #[error("bubblewrap does not work: {0}")]
    Broken(String),
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "The sandbox is required and does not work: {0}. To run agents without it, set mode = \"auto\" in [sandbox]"
    )]
    Unusable(Unusable),
    #[error("The sandbox could not be prepared: {0}")]
    Disk(#[from] io::Error),
}

/// Directories of an attempt. The program can write in them, and nowhere else.
#[derive(Clone, Debug)]
pub struct Workplace {
    pub tree: PathBuf,
    pub home: PathBuf,
    pub tmp: PathBuf,
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Confined<'a> {
    /// With a path as the program sees it, or a name that is looked up in its `PATH`.
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// All of its environment, but for `HOME`, `TMPDIR` and the proxy's variables, which the sandbox sets. Of `PATH`, the
    /// runner's own where it is missing, remains what is there inside.
    pub environment: Vec<(OsString, OsString)>,
    pub workplace: &'a Workplace,
    /// Paths of the machine that are shown as well, at the same place: the agent's installation, the objects that the
    /// checkout borrows.
    pub read_only: Vec<PathBuf>,
    /// Hosts that it may reach beside those of the configuration.
    pub allow: Vec<HostPattern>,
    /// Who answers what it asks of [`Sandbox::proxy`] itself.
    pub provider: Option<Provider>,
    /// A directory of the attempt, outside of the workplace, that the program cannot write to.
    pub own: &'a Path,
}

/// A command, to be given to `process::run`, and what surrounds it. All of it must live until the command has ended.
pub struct Confinement {
    pub command: Command,
    /// Hosts that were refused, each once; to be shown while the program runs. Ends with the guard.
    pub refusals: mpsc::Receiver<Refusal>,
    pub guard: Guard,
}

/// Watches a confined program. Dropping it closes the way out.
pub struct Guard(Option<Watch>);

struct Watch {
    proxy: Proxy,
    reporting: Reporting,
    group: Group,
    limits: Limits,
}

/// What is known after a confined program has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The sandbox came about; else bubblewrap has printed why not.
    pub started: bool,
    /// The limit that ended it.
    pub limit: Option<LimitHit>,
    pub traffic: TrafficFigures,
}

impl Sandbox {
    /// Tries whether the sandbox works, by starting one. `millrace` is this program's file.
    pub async fn detect(config: &SandboxConfig, data_dir: &Path, millrace: &Path) -> Self {
        if config.mode == SandboxMode::Off {
            return Self(State::Unprotected(
                "the configuration says `mode = \"off\"` in [sandbox]".to_owned(),
            ));
        }
        match (Bubblewrap::find(config, data_dir, millrace).await, config.mode) {
            (Ok(bubblewrap), _) => Self(State::Works(Box::new(bubblewrap))),
            (Err(unusable), SandboxMode::Auto) => Self(State::Unprotected(unusable.to_string())),
            (Err(unusable), _) => Self(State::Refused(unusable)),
        }
    }

    pub fn protection(&self) -> Protection {
        match self.0 {
            State::Works(_) | State::Refused(_) => Protection::Sandbox,
            State::Unprotected(_) => Protection::None,
        }
    }

    /// Why programs run without protection, or do not run.
    pub fn problem(&self) -> Option<String> {
        match &self.0 {
            State::Works(_) => None,
            State::Unprotected(reason) => Some(reason.clone()),
            State::Refused(unusable) => Some(unusable.to_string()),
        }
    }

    /// What people should know before the first agent starts: that none does, or that each starts unprotected. Nothing where
    /// the sandbox works.
    pub fn warning(&self) -> Option<String> {
        match &self.0 {
            State::Works(_) => None,
            State::Unprotected(reason) => Some(format!("agents run unprotected: {reason}")),
            State::Refused(unusable) => {
                let refused = SandboxError::Unusable(unusable.clone());
                Some(format!("no agent runs here, not even the demo. {refused}"))
            }
        }
    }

    /// Which limits hold and by what means, for people; nothing where there is no sandbox.
    pub fn enforcement(&self) -> Option<String> {
        match &self.0 {
            State::Works(bubblewrap) => Some(bubblewrap.enforcement()),
            _ => None,
        }
    }

    /// Where a program finds the proxy; nothing where there is none.
    pub fn proxy(&self) -> Option<String> {
        matches!(self.0, State::Works(_)).then(|| format!("http://127.0.0.1:{}", bubblewrap::PROXY_PORT))
    }

    /// The workplace as the program sees it.
    pub fn seen(&self, workplace: &Workplace) -> Workplace {
        match self.0 {
            State::Works(_) => {
                Workplace { tree: view::TREE.into(), home: view::HOME.into(), tmp: view::TMP.into() }
            }
            _ => workplace.clone(),
        }
    }

    /// The command that runs it. The caller pipes its input and output and waits for it.
    pub fn command(&self, confined: &Confined<'_>) -> Result<Confinement, SandboxError> {
        match &self.0 {
            State::Works(bubblewrap) => Ok(bubblewrap.command(confined)?),
            State::Unprotected(_) => Ok(unprotected(confined)),
            State::Refused(unusable) => Err(SandboxError::Unusable(unusable.clone())),
        }
    }
}

fn unprotected(confined: &Confined<'_>) -> Confinement {
    let Workplace { tree, home, tmp } = confined.workplace;
    let mut command = Command::new(&confined.program);
    command.args(&confined.arguments).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .envs(confined.environment.iter().map(|(name, value)| (name, value)))
        .env("HOME", home)
        .env("TMPDIR", tmp)
        .current_dir(tree);
    // Nobody refuses anything.
    let (_, refusals) = mpsc::channel(1);
    Confinement { command, refusals, guard: Guard(None) }
}

impl Guard {
    /// Sums up, after the program has ended.
    pub async fn finish(self) -> Findings {
        let Some(Watch { proxy, reporting, group, limits }) = self.0 else {
            return Findings { started: true, ..Findings::default() };
        };
        let report = reporting.read().await;
        let limit = report.limit.or_else(|| group.ran_out_of()).map(|resource| LimitHit { resource, limits });
        Findings { started: report.started, limit, traffic: proxy.traffic() }
    }
}
