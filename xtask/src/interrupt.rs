//! Ctrl-C and friends: the program that runs for us is told, and we clean up after it.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static RUNNING: Mutex<Option<Pid>> = Mutex::new(None);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal goes to the process group named with [`begin`]. Without one, it ends us; servers
/// of ours go when we do.
pub(crate) fn pass_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for number in &mut signals {
            INTERRUPTED.store(true, Ordering::Relaxed);
            let Some(group) = *running() else {
                exit(128 + number);
            };
            let signal = Signal::from_named_raw(number).unwrap_or(Signal::TERM);
            // It may have ended just now.
            let _ = kill_process_group(group, signal);
        }
    });
    Ok(())
}

/// A program that leads its own process group begins to run.
pub(crate) fn begin(id: u32) {
    *running() = id.try_into().ok().and_then(Pid::from_raw);
}

/// It has ended.
///
/// # Errors
/// If somebody wants us to stop, whatever became of the program.
pub(crate) fn end() -> Result<()> {
    *running() = None;
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Whether somebody wanted us to stop.
pub(crate) fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

fn running() -> MutexGuard<'static, Option<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
