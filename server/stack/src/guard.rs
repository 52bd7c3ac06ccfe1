//! A server process that neither outlives Millrace nor hears the terminal's Ctrl-C.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often a process is asked whether it is there yet, or gone.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// A child in its own process group, so that the order of the shutdown is ours and not the terminal's.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    /// Linux ties the signal of a dying parent to the thread that made the child, so that thread waits
    /// for as long as this end of the channel exists.
    _parent: Sender<()>,
}

/// Why [`Guard::wait_until`] came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Ready,
    Exited,
    TimedOut,
}

impl Guard {
    /// Starts the command; `farewell` is the signal that it gets when this process is killed.
    pub(crate) fn spawn(mut command: Command, farewell: Signal) -> io::Result<Self> {
        command.process_group(0);
        die_with_parent(&mut command, farewell);
        let (made, child) = mpsc::channel();
        let (parent, gone) = mpsc::channel();
        thread::Builder::new().name("server-parent".into()).spawn(move || {
            if made.send(command.spawn()).is_ok() {
                let _ = gone.recv();
            }
        })?;
        let child = child.recv().map_err(io::Error::other)??;
        Ok(Self { child, _parent: parent })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks `ready` again and again until it says yes, the process ends, or the time is over.
    pub(crate) fn wait_until(&mut self, limit: Duration, ready: impl Fn() -> bool) -> io::Result<Waited> {
        let begin = Instant::now();
        loop {
            if self.child.try_wait()?.is_some() {
                return Ok(Waited::Exited);
            }
            if ready() {
                return Ok(Waited::Ready);
            }
            if begin.elapsed() > limit {
                return Ok(Waited::TimedOut);
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Sends each signal in turn, and waits as long as its step allows before the next.
    /// `None`: the process is still there after the last.
    pub(crate) fn stop(&mut self, steps: &[(Signal, Duration)]) -> io::Result<Option<ExitStatus>> {
        for (signal, limit) in steps {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            // Not reaped yet, so the number cannot belong to another process.
            kill_process(Pid::from_child(&self.child), *signal)?;
            if self.wait_until(*limit, || false)? == Waited::Exited {
                break;
            }
        }
        self.child.try_wait()
    }
}

/// Has the kernel send `farewell` to the child when this process is gone, however it went.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command, farewell: Signal) {
    let parent = rustix::process::getpid();
    let arrange = move || {
        rustix::process::set_parent_process_death_signal(Some(farewell))?;
        // The parent may have died before the line above.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes two system calls; it neither allocates nor
    // takes a lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(arrange);
    }
}

/// Elsewhere the next start finds the orphan and stops it.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command, _farewell: Signal) {}
