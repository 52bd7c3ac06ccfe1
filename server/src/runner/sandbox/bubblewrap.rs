//! bubblewrap: finding it, trying it, and the command line that confines a program.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::net},
    path::{Path, PathBuf},
    process::Stdio,
};

use millrace_stack::programs;
use tokio::{net::UnixListener, process::Command};

use super::{
    Confined, Confinement, Guard, Unusable, Watch, Workplace,
    cgroup::Groups,
    egress::Proxy,
    limits::Limits,
    report::Reporting,
    view::{self, View},
};
use crate::config::{Endpoint, HostPattern, SandboxConfig};

/// The first version that can keep programs from making user namespaces of their own.
pub(super) const OLDEST: Version = Version(0, 8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Where the first process listens for what goes to the proxy.
pub(super) const PROXY_PORT: u16 = 3128;
const EGRESS: &str = "egress";
const REPORT: &str = "report";
const MILLRACE: &str = "/run/millrace/millrace";

/// A bubblewrap that works here.
#[derive(Debug)]
pub(super) struct Bubblewrap {
    program: PathBuf,
    millrace: PathBuf,
    view: View,
    limits: Limits,
    groups: Groups,
    allow: Vec<HostPattern>,
    allow_private: Vec<Endpoint>,
}

impl Bubblewrap {
    /// Finds it and starts a sandbox with it.
    pub(super) async fn find(
        config: &SandboxConfig,
        data_dir: &Path,
        millrace: &Path,
    ) -> Result<Self, Unusable> {
        let program = programs::on_path("bwrap").ok_or(Unusable::Missing)?;
        let version = programs::version(&program).map_err(|error| Unusable::Broken(error.to_string()))?;
        if parse_version(&version).is_some_and(|version| version < OLDEST) {
            return Err(Unusable::TooOld(version));
        }
        let view =
            View::new(&config.read_only, data_dir).map_err(|error| Unusable::Broken(error.to_string()))?;
        let bubblewrap = Self {
            program,
            millrace: millrace.to_owned(),
            view,
            limits: Limits::of(config),
            groups: Groups::find(&config.cgroup),
            allow: config.allow.clone(),
            allow_private: config.allow_private.clone(),
        };
        bubblewrap.try_it().await?;
        Ok(bubblewrap)
    }

    async fn try_it(&self) -> Result<(), Unusable> {
        let broken = |error: io::Error| Unusable::Broken(error.to_string());
        let directory = tempfile::tempdir().map_err(broken)?;
        let make = |name| {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).map(|()| path)
        };
        let workplace = Workplace {
            tree: make("tree").map_err(broken)?,
            home: make("home").map_err(broken)?,
            tmp: make("tmp").map_err(broken)?,
        };
        let own = make("own").map_err(broken)?;
        let confined = Confined {
            program: "true".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            workplace: &workplace,
            read_only: Vec::new(),
            allow: Vec::new(),
            provider: None,
            own: &own,
        };
        let Confinement { mut command, guard, .. } = self.command(&confined).map_err(broken)?;
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(broken)?;
        drop(guard);
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let said = if said.is_empty() { output.status.to_string() } else { said };
        let of_namespaces = ["namespace", "uid map", "Operation not permitted"];
        Err(if of_namespaces.iter().any(|words| said.contains(words)) {
            Unusable::NoNamespaces(said)
        } else {
            Unusable::Broken(said)
        })
    }

    pub(super) fn enforcement(&self) -> String {
        let by = |limited: bool, otherwise: &'static str| if limited { "control group" } else { otherwise };
        format!(
            "memory by {}, processes by {}, file size and processor time by rlimits, all files by watching",
            by(self.groups.limits_memory(), "rlimits and watching"),
            by(self.groups.limits_processes(), "rlimits and watching"),
        )
    }

    pub(super) fn command(&self, confined: &Confined<'_>) -> io::Result<Confinement> {
        view::write_own(confined.own)?;
        let egress = listen(confined.own, EGRESS)?;
        let reporting = Reporting::listen(listen(confined.own, REPORT)?);
        let allow = self.allow.iter().chain(&confined.allow).cloned().collect();
        let (proxy, refusals) =
            Proxy::start(egress, allow, self.allow_private.clone(), confined.provider.clone());
        let group = self.groups.make(&self.limits)?;
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments(confined))
            .env_clear()
            .envs(self.view.tool_chains())
            .envs(confined.environment.iter().filter(|(name, _)| !is_for_the_loader(name)).cloned())
            .env("PATH", self.search_path(confined))
            .env("HOME", view::HOME)
            .env("TMPDIR", view::TMP)
            .env("USER", "millrace");
        enter(&mut command, group.doors()?);
        let watch = Watch { proxy, reporting, group, limits: self.limits };
        Ok(Confinement { command, refusals, guard: Guard(Some(watch)) })
    }

    fn search_path(&self, confined: &Confined<'_>) -> OsString {
        let given = confined.environment.iter().find(|(name, _)| name == "PATH");
        let path = given.map(|(_, value)| value.clone()).or_else(|| env::var_os("PATH")).unwrap_or_default();
        self.view.search_path(&path, &confined.read_only)
    }

    fn arguments(&self, confined: &Confined<'_>) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        arguments.add([
            "--unshare-all",
            "--unshare-user",
            "--disable-userns",
            "--as-pid-1",
            "--die-with-parent",
            "--cap-drop",
            "ALL",
            "--uid",
            view::USER,
            "--gid",
            view::USER,
            "--hostname",
            "millrace",
        ]);
        arguments.0.extend(self.view.arguments(confined.workplace, &confined.read_only, confined.own));
        let memory = self.limits.memory_bytes.to_string();
        arguments.add(["--size", &memory, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]);
        for socket in [EGRESS, REPORT] {
            let inside = Path::new(view::OWN).join(socket);
            arguments.add(["--ro-bind".as_ref(), confined.own.join(socket).as_os_str(), inside.as_os_str()]);
        }
        arguments.add(["--ro-bind".as_ref(), self.millrace.as_os_str(), MILLRACE.as_ref()]);
        arguments.add(["--remount-ro", "/", "--chdir", view::TREE, "--", MILLRACE, "inside"]);
        arguments.add(["--egress".to_owned(), format!("{}/{EGRESS}", view::OWN)]);
        arguments.add(["--report".to_owned(), format!("{}/{REPORT}", view::OWN)]);
        arguments.add(["--port".to_owned(), PROXY_PORT.to_string()]);
        for endpoint in self.allow_private.iter().filter(|endpoint| is_loopback(endpoint)) {
            arguments.add(["--tunnel".to_owned(), endpoint.to_string()]);
        }
        let Limits { memory_bytes, processes, file_bytes, disk_bytes, cpu_seconds } = self.limits;
        if !self.groups.limits_memory() {
            arguments.add(["--memory-bytes".to_owned(), memory_bytes.to_string()]);
        }
        arguments.add(["--processes".to_owned(), processes.to_string()]);
        arguments.add(["--file-bytes".to_owned(), file_bytes.to_string()]);
        arguments.add(["--disk-bytes".to_owned(), disk_bytes.to_string()]);
        arguments.add(["--cpu-seconds".to_owned(), cpu_seconds.to_string()]);
        arguments.add(["--".as_ref(), confined.program.as_os_str()]);
        arguments.0.extend(confined.arguments.iter().cloned());
        arguments.0
    }
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<T: AsRef<OsStr>, const N: usize>(&mut self, arguments: [T; N]) {
        self.0.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
    }
}

/// The numbers in e.g. `bubblewrap 0.8.0`.
fn parse_version(text: &str) -> Option<Version> {
    let number = text.split_whitespace().find(|word| word.starts_with(|char: char| char.is_ascii_digit()))?;
    let mut parts = number.split('.').map(str::parse);
    Some(Version(parts.next()?.ok()?, parts.next()?.ok()?))
}

/// What a program inside would look for on its own loopback.
fn is_loopback(endpoint: &Endpoint) -> bool {
    let host = endpoint.host();
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// These would change what bubblewrap itself runs, which is still outside.
fn is_for_the_loader(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"LD_") || name.starts_with(b"GLIBC_") || name == b"GCONV_PATH" || name == b"LOCPATH"
}

/// A socket in `directory`, whose path may be longer than the 107 bytes that the kernel takes.
fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    use std::os::fd::AsRawFd as _;
    match std::fs::remove_file(directory.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let directory = File::open(directory)?;
    let short = format!("/proc/self/fd/{}/{name}", directory.as_fd().as_raw_fd());
    let listener = net::UnixListener::bind(short)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Puts the command into the control groups before it becomes bubblewrap, so that nothing of it is ever outside; keeps from
/// it what this process has open, also what it got from whoever started it; and makes bubblewrap itself deaf for TERM, which
/// is meant for the program: the first process hands it on.
#[expect(unsafe_code, reason = "there is no safe way to run something between fork and exec")]
fn enter(command: &mut Command, doors: Vec<File>) {
    // SAFETY: between fork and exec only async-signal-safe functions may be called. These are system calls; they neither
    // allocate nor take a lock.
    unsafe {
        command.pre_exec(move || {
            for mut door in &doors {
                door.write_all(b"0")?;
            }
            let first = libc::STDERR_FILENO.cast_unsigned() + 1;
            let no_error = libc::close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) == 0
                && libc::signal(libc::SIGTERM, libc::SIG_IGN) != libc::SIG_ERR;
            if no_error { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_bubblewrap_says() {
        assert_eq!(parse_version("bubblewrap 0.8.0"), Some(Version(0, 8)));
        assert!(parse_version("bubblewrap 0.11.0") > Some(OLDEST));
        assert_eq!(parse_version("bubblewrap"), None);
    }

    #[test]
    fn a_socket_can_lie_deep() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a".repeat(100)).join("b".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();

        let first = listen(&deep, EGRESS).unwrap();
        let again = listen(&deep, EGRESS);

        assert!(deep.join(EGRESS).exists() && again.is_ok());
        drop(first);
    }
}
