//! The first process of a sandbox: starts the program, carries what it sends to the proxy, keeps its limits, and takes
//! everything with it when it ends.
//!
//! It is process 1 of its namespace: nothing inside can end it, and with it the kernel ends all others, also those that
//! have left their group or their session.

mod disk;
mod filter;
mod forward;
mod watch;

use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    net::TcpListener,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::PathBuf,
    process::{Command, ExitCode},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use anyhow::Context as _;
use rustix::process::{
    DumpableBehavior, Pid, Resource as Rlimit, Signal, WaitOptions, WaitStatus, set_dumpable_behavior,
    setrlimit, wait,
};

use super::{
    limits::{FILE_BYTES_BEYOND, MEMORY_BEYOND, PROCESSES_BEYOND, Resource},
    report,
};
use crate::config::Endpoint;

/// What the runner tells the first process.
#[derive(clap::Args)]
pub struct Inside {
    /// The proxy's socket
    #[arg(long)]
    egress: PathBuf,
    /// The socket on which a limit that was hit is reported
    #[arg(long)]
    report: PathBuf,
    /// Where the program finds the proxy, on 127.0.0.1
    #[arg(long)]
    port: u16,
    /// Endpoints of the machine's own loopback that appear on the sandbox's
    #[arg(long)]
    tunnel: Vec<Endpoint>,
    #[command(flatten)]
    limits: OwnLimits,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

#[derive(clap::Args, Clone, Copy)]
struct OwnLimits {
    /// Left out where the kernel limits it for all processes together
    #[arg(long)]
    memory_bytes: Option<u64>,
    #[arg(long)]
    processes: u64,
    #[arg(long)]
    file_bytes: u64,
    #[arg(long)]
    disk_bytes: u64,
    #[arg(long)]
    cpu_seconds: u64,
}

/// What shells say of a program that they could not start.
const NOT_STARTED: u8 = 127;
/// After a limit was hit; the report says which.
const OVER_LIMIT: i32 = 137;

/// Returns when a limit is exceeded, with which.
type UntilOver = fn(&OwnLimits) -> Resource;

/// Runs the program to its end and ends like it.
pub fn run(inside: Inside) -> anyhow::Result<ExitCode> {
    // Nothing of the program's may look into this process, where the report is.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    filter::install().context("the filter of system calls")?;
    let mut line = UnixStream::connect(&inside.report).context("the runner does not listen")?;
    // By then nobody else can connect.
    line.read_exact(&mut [0; report::GO.len()]).context("the runner is gone")?;

    let (started, program) = mpsc::channel();
    forward::start(&inside.egress, listeners(&inside)?, program)?;
    inside.limits.set()?;
    let child = match start(&inside) {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{} could not be started: {error}", inside.program[0].to_string_lossy());
            return Ok(ExitCode::from(NOT_STARTED));
        }
    };
    started.send(child)?;
    let (limits, line) = (inside.limits, Arc::new(Mutex::new(line)));
    let watches: [(&str, UntilOver); 2] = [("watch", watch::until_over), ("disk", disk::until_over)];
    for (name, until_over) in watches {
        let line = Arc::clone(&line);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let resource = until_over(&limits);
            // Whoever finds something else at the same time waits for the end here.
            let _line = tell(&line, resource);
            std::process::exit(OVER_LIMIT);
        })?;
    }

    let status = reap_until(child)?;
    if let Some(resource) = limit_behind(status) {
        drop(tell(&line, resource));
    }
    Ok(exit_code(status))
}

/// Tells the runner. While the result lives nobody else does.
fn tell(line: &Mutex<UnixStream>, resource: Resource) -> MutexGuard<'_, UnixStream> {
    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = line.write_all(resource.as_str().as_bytes());
    line
}

/// The proxy's own, and one for each endpoint that appears here. One that another already has, or that only a privileged
/// process may have, is reached through the proxy alone.
fn listeners(inside: &Inside) -> io::Result<Vec<(TcpListener, Option<Endpoint>)>> {
    let mut listeners = vec![(TcpListener::bind(("127.0.0.1", inside.port))?, None)];
    for endpoint in &inside.tunnel {
        if let Ok(listener) = TcpListener::bind((endpoint.host(), endpoint.port())) {
            listeners.push((listener, Some(endpoint.clone())));
        }
    }
    Ok(listeners)
}

impl OwnLimits {
    /// Behind what is watched stands what the kernel refuses to a single process, so that nothing is faster than watching.
    fn set(&self) -> io::Result<()> {
        let lower = |resource, limit: u64| {
            let limit = rustix::process::Rlimit { current: Some(limit), maximum: Some(limit) };
            setrlimit(resource, limit)
        };
        lower(Rlimit::Core, 0)?;
        lower(Rlimit::Fsize, self.file_bytes.saturating_add(FILE_BYTES_BEYOND))?;
        lower(Rlimit::Cpu, self.cpu_seconds)?;
        lower(Rlimit::Nproc, self.processes + PROCESSES_BEYOND)?;
        if let Some(bytes) = self.memory_bytes {
            lower(Rlimit::Data, bytes.saturating_add(MEMORY_BEYOND))?;
        }
        Ok(())
    }
}

/// Starts the program in a session of its own: away from the terminal of whoever started the runner.
#[expect(unsafe_code, reason = "there is no safe way to run something between fork and exec")]
fn start(inside: &Inside) -> io::Result<Pid> {
    let proxy = format!("http://127.0.0.1:{}", inside.port);
    let mut command = Command::new(&inside.program[0]);
    command.args(&inside.program[1..]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy).env(name.to_lowercase(), &proxy);
    }
    // What the program itself serves, and the endpoints that appear here.
    for name in ["NO_PROXY", "no_proxy"] {
        command.env(name, "localhost,127.0.0.1,::1");
    }
    command.env("NODE_USE_ENV_PROXY", "1");
    // SAFETY: between fork and exec only async-signal-safe functions may be called. This is one system call.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
    Ok(Pid::from_child(&command.spawn()?))
}

/// Waits for every process that ends, as the first process has to, until it is the program.
fn reap_until(program: Pid) -> io::Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == program => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The kernel's own word that the program hit a limit, also when a shell says it of the program's last command.
fn limit_behind(status: WaitStatus) -> Option<Resource> {
    let shell_says = |signal: Signal| Some(128 + signal.as_raw());
    let is = |signal: Signal| {
        status.terminating_signal() == Some(signal.as_raw()) || status.exit_status() == shell_says(signal)
    };
    if is(Signal::XFSZ) {
        Some(Resource::FileSize)
    } else if is(Signal::XCPU) {
        Some(Resource::CpuTime)
    } else {
        None
    }
}

fn exit_code(status: WaitStatus) -> ExitCode {
    let code = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
