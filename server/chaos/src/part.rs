//! One of Millrace's own processes: killed, stopped, woken, and always started again.

use std::{
    fs::{File, OpenOptions},
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use app::model::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::marks::now;

/// How long a process that has ended by itself stays down: it will not find what it missed at once.
const DOWN: Duration = Duration::from_millis(300);

pub struct Part {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    down_until: Option<Instant>,
    /// From when to when it was stopped; open while it is.
    frozen: Vec<(Timestamp, Option<Timestamp>)>,
}

impl Part {
    pub fn new(
        name: String,
        program: PathBuf,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        log: PathBuf,
    ) -> Self {
        Self { name, program, arguments, environment, log, state: Mutex::default() }
    }

    /// Starts it if it does not run and may.
    pub fn keep(&self) -> anyhow::Result<()> {
        let mut state = self.state();
        if let Some(child) = &mut state.child {
            if child.try_wait()?.is_none() {
                return Ok(());
            }
            state.child = None;
            let expected = state.down_until;
            state.down_until = expected.or_else(|| Some(Instant::now() + DOWN));
        }
        if state.down_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        state.down_until = None;
        state.child = Some(self.spawn()?);
        Ok(())
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let log: File = OpenOptions::new().create(true).append(true).open(&self.log)?;
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))
    }

    /// kill -9, and the next start after `down`.
    pub fn kill(&self, down: Duration) {
        self.signal_and_stay_down(Signal::KILL, down);
    }

    /// Asks it to end in order; it is started again when it has, after `down` at the earliest.
    pub fn terminate(&self, down: Duration) {
        self.signal_and_stay_down(Signal::TERM, down);
    }

    fn signal_and_stay_down(&self, signal: Signal, down: Duration) {
        let mut state = self.state();
        state.thaw();
        state.down_until = Some(Instant::now() + down);
        state.signal(signal);
    }

    /// Stops it in the middle of whatever it does. `false`: it is stopped already, or does not run.
    pub fn freeze(&self) -> bool {
        let mut state = self.state();
        let may = state.child.is_some() && state.frozen.last().is_none_or(|(_, until)| until.is_some());
        if may {
            state.frozen.push((now(), None));
            state.signal(Signal::STOP);
        }
        may
    }

    pub fn thaw(&self) {
        self.state().thaw();
    }

    /// Whether it was stopped at some moment between these two.
    pub fn was_frozen(&self, from: Timestamp, until: Timestamp) -> bool {
        self.state()
            .frozen
            .iter()
            .any(|(stopped, woken)| *stopped <= until && woken.is_none_or(|woken| woken >= from))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn thaw(&mut self) {
        if let Some((_, woken @ None)) = self.frozen.last_mut() {
            *woken = Some(now());
            self.signal(Signal::CONT);
        }
    }

    fn signal(&mut self, signal: Signal) {
        // No id once the process was waited for, so that no other process can have it.
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}
