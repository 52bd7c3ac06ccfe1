//! A Postgres of our own: made on first use, reached over a unix socket, stopped in order.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::account::Account;
use crate::error::{At, Error};
use crate::guard::{Guard, Waited};
use crate::home::{self, Home};
use crate::programs::{self, PostgresInstallation};
use crate::{Durability, random_hex};

const USER: &str = "millrace";
const DATABASE: &str = "millrace";
const SOCKET: &str = ".s.PGSQL.5432";

/// Recovery after a crash counts as starting, and a large log takes its time.
const START_LIMIT: Duration = Duration::from_secs(300);

/// Fast shutdown, which rolls back what is open; then immediate, which leaves it to recovery.
const STOP: &[(Signal, Duration)] = &[
    (Signal::INT, Duration::from_secs(20)),
    (Signal::QUIT, Duration::from_secs(5)),
    (Signal::KILL, Duration::from_secs(5)),
];

const CRASH: &[(Signal, Duration)] = &[(Signal::KILL, Duration::from_secs(5))];

/// How long the children of a killed Postgres may hold its shared memory.
const LEFTOVERS_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// A directory for this server alone; it is made if needed.
    pub data_dir: PathBuf,
    pub durability: Durability,
}

/// A running Postgres. Dropping it stops it as [`Postgres::stop`] does.
#[derive(Debug)]
pub struct Postgres {
    guard: Option<Guard>,
    home: Home,
    socket: PathBuf,
    url: String,
    durability: Durability,
    installation: PostgresInstallation,
}

impl Postgres {
    /// Starts the server and comes back when it takes connections. The first time, this makes the
    /// database; an orphan that a killed Millrace left in the same directory is stopped before.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::InUse`], [`Error::DidNotStart`] with the end of the log, and what
    /// the file system answers.
    pub fn start(options: &PostgresOptions) -> Result<Self, Error> {
        let home = Home::open(&options.data_dir, account_for(&options.data_dir)?)?;
        let cluster =
            Cluster { data: home.directory().join("data"), durability: options.durability, home: &home };
        let installation = cluster.installation()?;
        if !cluster.exists() {
            cluster.create(&installation)?;
        }
        stop_orphan(&cluster.data)?;
        let socket = home.prepare_socket(SOCKET)?;
        let guard = cluster.start(&installation, &socket)?;
        Ok(Self {
            guard: Some(guard),
            url: url(home.directory())?,
            socket,
            durability: options.durability,
            installation,
            home,
        })
    }

    /// The address of the server that another process runs in this directory, if one does.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a password that this user may not read.
    pub fn url_in(data_dir: &Path) -> Result<Option<String>, Error> {
        let directory = Home::locate(data_dir)?;
        let data = directory.join("data");
        if recorded_process(&data).is_some_and(|pid| runs_in(pid, &data)) {
            return url(&directory).map(Some);
        }
        Ok(None)
    }

    /// An address for sqlx and for libpq, with the password in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The directory of the files, if it is not the one that was asked for: started as root, Postgres
    /// runs as another user, and that user cannot get at everything.
    pub fn moved_to(&self) -> Option<&Path> {
        self.home.is_moved().then(|| self.home.directory())
    }

    /// The installed programs that belong to this server, such as `psql`.
    pub fn installation(&self) -> &PostgresInstallation {
        &self.installation
    }

    /// Stops the server and waits until it is gone.
    ///
    /// # Errors
    /// [`Error::DoesNotStop`] if not even KILL ended it.
    pub fn stop(mut self) -> Result<(), Error> {
        self.shut_down(STOP)
    }

    /// Kills the server, as a machine that fails would, and waits until it is gone.
    ///
    /// # Errors
    /// [`Error::DoesNotStop`] if that did not end it.
    pub fn crash(mut self) -> Result<(), Error> {
        self.shut_down(CRASH)
    }

    fn shut_down(&mut self, steps: &[(Signal, Duration)]) -> Result<(), Error> {
        let Some(mut guard) = self.guard.take() else {
            return Ok(());
        };
        let pid = guard.id();
        if guard.stop(steps).at(self.home.directory())?.is_none() {
            return Err(Error::DoesNotStop { program: "PostgreSQL", pid });
        }
        self.home.remove_socket(&self.socket);
        if self.durability == Durability::Throwaway {
            self.home.remove()?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> u32 {
        self.guard.as_ref().expect("it runs").id()
    }

    #[cfg(test)]
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.shut_down(STOP);
    }
}

/// Whoever owns the files runs the server; new ones made by root belong to an ordinary user.
fn account_for(data_dir: &Path) -> Result<Account, Error> {
    let current = Account::current();
    if !current.is_root() {
        return Ok(current);
    }
    match Account::owner_of(&Home::locate(data_dir)?.join("data")) {
        Some(owner) if !owner.is_root() => Ok(owner),
        _ => Account::unprivileged(),
    }
}

/// The files of one Postgres.
struct Cluster<'a> {
    home: &'a Home,
    data: PathBuf,
    durability: Durability,
}

impl Cluster<'_> {
    /// [`Cluster::create`] puts the directory in place when it is complete.
    fn exists(&self) -> bool {
        self.data.exists()
    }

    /// The installed Postgres that can read the files.
    fn installation(&self) -> Result<PostgresInstallation, Error> {
        let best = programs::postgres()?;
        if !self.exists() {
            return Ok(best);
        }
        let path = self.data.join("PG_VERSION");
        let version = fs::read_to_string(&path).at(&path)?;
        programs::postgres_installations()
            .into_iter()
            .find(|installation| installation.major == version.trim())
            .ok_or_else(|| Error::OtherVersion {
                directory: self.data.clone(),
                data: version.trim().to_owned(),
                installed: best.major,
            })
    }

    fn create(&self, installation: &PostgresInstallation) -> Result<(), Error> {
        let unfinished = self.home.directory().join("data.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).at(&unfinished)?;
        }
        let password = self.home.write_private("password", self.home.account(), &random_hex::<24>()?)?;

        let mut initdb = self.command(&installation.program("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&unfinished)
            .arg("--pwfile")
            .arg(&password)
            .args(["--username", USER, "--auth", "scram-sha-256"])
            .args(["--encoding", "UTF8", "--locale", "C", "--data-checksums"]);
        if self.durability == Durability::Throwaway {
            initdb.arg("--no-sync");
        }
        run(initdb, "")?;

        let mut single = self.command(&installation.program("postgres"));
        single.args(["--single", "-D"]).arg(&unfinished);
        self.settings(&mut single);
        single.arg("template1");
        run(single, &format!("CREATE DATABASE {DATABASE}\n"))?;

        fs::rename(&unfinished, &self.data).at(&self.data)?;
        File::open(self.home.directory()).and_then(|directory| directory.sync_all()).at(self.home.directory())
    }

    fn start(&self, installation: &PostgresInstallation, socket: &Path) -> Result<Guard, Error> {
        let socket_directory = socket.parent().unwrap_or(self.home.directory());
        let begin = Instant::now();
        loop {
            let log = self.home.begin_log()?;
            let mut command = self.command(&installation.program("postgres"));
            command
                .arg("-D")
                .arg(&self.data)
                .args(["-c", "listen_addresses="])
                .args(["-c", "unix_socket_permissions=0700", "-c"])
                .arg(format!(
                    "unix_socket_directories=\"{}\"",
                    socket_directory.display().to_string().replace('"', "\"\"")
                ));
            self.settings(&mut command);
            command.stdin(Stdio::null()).stdout(log.try_clone().at(&self.home.log())?).stderr(log);
            let mut guard = Guard::spawn(command, Signal::INT).at(&installation.program("postgres"))?;
            let pid = guard.id();
            let waited = guard.wait_until(START_LIMIT, || is_ready(&self.data, pid)).at(&self.data)?;
            if waited == Waited::Ready {
                return Ok(guard);
            }
            let tail = self.home.log_tail();
            // A Postgres that was killed leaves children, and they go when they notice.
            let leftovers = tail.contains("pre-existing shared memory block");
            if !leftovers || begin.elapsed() > LEFTOVERS_LIMIT {
                return Err(Error::DidNotStart { program: "PostgreSQL", log: self.home.log(), tail });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = self.home.account().command(program);
        // Messages in the words that this file looks for, in a directory that the account can enter.
        command.env("LC_ALL", "C").current_dir(self.home.directory());
        command
    }

    /// What suits one product on a small machine.
    fn settings(&self, command: &mut Command) {
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        // Short statements: planning for several processes and compiling cost more than they give.
        set("jit=off");
        set("max_parallel_workers_per_gather=0");
        if self.durability == Durability::Throwaway {
            set("fsync=off");
            set("synchronous_commit=off");
            set("full_page_writes=off");
            // Each test has a database and a pool of its own.
            set("max_connections=400");
        }
    }
}

fn url(directory: &Path) -> Result<String, Error> {
    let password = directory.join("password");
    let password = fs::read_to_string(&password).at(&password)?;
    let socket = home::socket_in(directory, SOCKET);
    let host = percent_encode(socket.parent().unwrap_or(directory));
    Ok(format!("postgres://{USER}:{password}@localhost/{DATABASE}?host={host}"))
}

/// Stops the Postgres that a killed Millrace left behind, and removes the traces that would keep the
/// next one from starting. The caller holds the lock on the directory, so nobody is using it.
fn stop_orphan(data: &Path) -> Result<(), Error> {
    let Some(pid) = recorded_process(data) else {
        return Ok(());
    };
    for (signal, limit) in STOP {
        if !runs_in(pid, data) {
            break;
        }
        // It may end in between, which is what was wanted.
        let _ = kill_process(pid, *signal);
        let begin = Instant::now();
        while runs_in(pid, data) && begin.elapsed() < *limit {
            thread::sleep(Duration::from_millis(10));
        }
    }
    if runs_in(pid, data) {
        return Err(Error::DoesNotStop {
            program: "PostgreSQL",
            pid: pid.as_raw_nonzero().get().unsigned_abs(),
        });
    }
    // Postgres sees for itself when the number is free. It cannot see that another program has it.
    let record = data.join("postmaster.pid");
    if test_kill_process(pid).is_ok() && record.exists() {
        fs::remove_file(&record).at(&record)?;
    }
    Ok(())
}

/// `postmaster.pid`: process, data directory, time, port, socket directory, address, memory, state.
fn record(data: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
}

fn recorded_process(data: &Path) -> Option<Pid> {
    Pid::from_raw(record(data)?.first()?.parse().ok()?)
}

fn is_ready(data: &Path, pid: u32) -> bool {
    record(data).is_some_and(|lines| {
        lines.first() == Some(&pid.to_string()) && lines.get(7).is_some_and(|state| state == "ready")
    })
}

/// Whether the process is a Postgres that serves this directory.
fn runs_in(pid: Pid, data: &Path) -> bool {
    command_line(pid).is_some_and(|arguments| {
        let is_postgres = arguments
            .first()
            .is_some_and(|program| Path::new(program).file_name() == Some("postgres".as_ref()));
        is_postgres && arguments.iter().any(|argument| Path::new(argument) == data)
    })
}

#[cfg(target_os = "linux")]
fn command_line(pid: Pid) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.split('\0').map(str::to_owned).collect())
}

/// A path with a space in it is not recognised here; then the record is left to Postgres to judge.
#[cfg(not(target_os = "linux"))]
fn command_line(pid: Pid) -> Option<Vec<String>> {
    let output =
        Command::new("ps").args(["-o", "command=", "-p", &pid.as_raw_nonzero().to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.split_whitespace().map(str::to_owned).collect())
}

/// Runs a program to its end. `postgres --single` reports a failed statement in words only.
fn run(mut command: Command, input: &str) -> Result<(), Error> {
    let program = PathBuf::from(command.get_program());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().at(&program)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).at(&program)?;
    }
    let output = child.wait_with_output().at(&program)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && !errors.contains("ERROR:") {
        return Ok(());
    }
    Err(Error::Failed { program, output: errors.trim().to_owned() })
}

/// Encodes what a URL would read as its own.
pub(crate) fn percent_encode(path: &Path) -> String {
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
