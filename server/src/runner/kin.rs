//! Everything that an attempt has started, also what has left its process group and its session: found by a variable that each
//! process inherits from the one that started it, and ended with the attempt and with the runner.
//!
//! A sandbox has processes of its own, which the kernel ends with it. This is for what runs without one.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use app::model::JobId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

/// What is meant to outlive its attempt is started without it: `env -u MILLRACE_COOKIE …`.
const VARIABLE: &str = "MILLRACE_COOKIE";
/// Between two looks, for the kernel to bury what was killed.
const PAUSE: Duration = Duration::from_millis(5);
/// What has not ended by then hangs in the kernel, and ends when that lets go of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process carries in its environment: `<runner>/<job>/<attempt>/`. A runner has another name after each start, so that
/// no other runner's processes carry it, be there many on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie(String);

impl Cookie {
    pub(super) fn of_attempt(runner: &str, job: JobId, attempt: u32) -> Self {
        Self(format!("{runner}/{job}/{attempt}/"))
    }

    /// The beginning of what all attempts of a runner carry.
    fn of_runner(runner: &str) -> Self {
        Self(format!("{runner}/"))
    }

    /// For the environment of what is started.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Ends whatever carries it, off the async threads.
    pub(super) async fn end_all(&self) {
        let cookie = self.clone();
        // Fails only when the runtime ends, and then the guardian does it.
        let _ = tokio::task::spawn_blocking(move || cookie.end_all_now()).await;
    }

    /// Looks until nobody is left: what was killed may have started something in that very moment.
    fn end_all_now(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.kill_once() > 0 {
            if Instant::now() > deadline {
                tracing::warn!(cookie = self.0, "processes of an attempt do not end");
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Returns how many were still there.
    fn kill_once(&self) -> usize {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        let mut environment = Vec::new();
        let mut found = 0;
        for id in ids {
            if !self.is_carried_by(id, &mut environment) {
                continue;
            }
            // The number may be another's by now, the handle cannot become another's.
            if let Ok(handle) = pidfd_open(id, PidfdFlags::empty())
                && self.is_carried_by(id, &mut environment)
            {
                found += 1;
                let _ = pidfd_send_signal(handle, Signal::KILL);
            }
        }
        found
    }

    /// Other users' processes cannot be read, and one that has ended has no environment any more.
    fn is_carried_by(&self, id: Pid, environment: &mut Vec<u8>) -> bool {
        environment.clear();
        let file = File::open(format!("/proc/{}/environ", id.as_raw_nonzero()));
        let read = file.and_then(|mut file| file.read_to_end(environment));
        read.is_ok() && environment.split(|byte| *byte == 0).any(|entry| self.is_in(entry))
    }

    fn is_in(&self, entry: &[u8]) -> bool {
        let value = entry.strip_prefix(VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|value| value.starts_with(self.0.as_bytes()))
    }
}

/// A process beside a runner that ends what the runner has started when the runner is gone, also when it was killed.
pub(super) struct Guardian {
    /// It reads from a pipe, whose other end is closed with this value or by the kernel.
    _process: Child,
}

impl Guardian {
    /// `millrace` is the program's own file.
    pub(super) fn start(millrace: &Path, runner: &str) -> io::Result<Self> {
        let mut command = Command::new(millrace);
        command
            .args(["guard".to_owned(), format!("--runner={runner}")])
            // Whoever ends the runner by a cookie of their own is not to end this first.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        Ok(Self { _process: command.spawn()? })
    }
}

/// What a runner tells its guardian.
#[derive(clap::Args)]
pub struct Guard {
    /// The runner's name
    #[arg(long)]
    runner: String,
}

/// Waits until the runner is gone, and ends what it has left.
pub fn guard(Guard { runner }: Guard) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Deaf for what is meant for the runner, and sent to all that belongs to it: it ends with the runner.
    let _heard =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    // Nothing is ever written.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Cookie::of_runner(&runner).end_all_now();
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_its_own_and_its_runners_and_nobody_elses() {
        let job = JobId::new();
        let carried = format!("{VARIABLE}=mill-00c0ffee/{job}/1/");
        let is_carried = |cookie: Cookie| cookie.is_in(carried.as_bytes());
        assert!(is_carried(Cookie::of_attempt("mill-00c0ffee", job, 1)));
        assert!(is_carried(Cookie::of_runner("mill-00c0ffee")));
        assert!(!is_carried(Cookie::of_attempt("mill-00c0ffee", job, 11)));
        assert!(!is_carried(Cookie::of_attempt("mill-00c0ffee", JobId::new(), 1)));
        assert!(!is_carried(Cookie::of_runner("mill-00c0ffe")));
        assert!(!Cookie::of_runner("mill-00c0ffee").is_in(format!("X{carried}").as_bytes()));
    }

    #[tokio::test]
    async fn what_starts_others_all_the_time_is_ended_with_them() {
        let cookie = Cookie::of_attempt("runner", JobId::new(), 1);
        let (name, value) = cookie.variable();
        let mut child = Command::new("/bin/sh")
            .args(["-c", "setsid sh -c 'while true; do setsid sleep 600 & sleep 0.01; done' & wait"])
            .env(name, value)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // It has begun.
        tokio::time::sleep(Duration::from_millis(200)).await;

        cookie.end_all().await;

        assert_eq!(cookie.kill_once(), 0);
        assert!(!child.wait().await.unwrap().success());
    }
}
