//! A Redis of our own: on a unix socket, with an append-only file, stopped in order.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::Durability;
use crate::account::Account;
use crate::error::{At, Error};
use crate::guard::{Guard, Waited};
use crate::home::{self, Home};
use crate::postgres::percent_encode;
use crate::programs;

const SOCKET: &str = "redis.sock";

/// Reading the append-only file counts as starting.
const START_LIMIT: Duration = Duration::from_secs(120);

const STOP: &[(Signal, Duration)] =
    &[(Signal::TERM, Duration::from_secs(20)), (Signal::KILL, Duration::from_secs(5))];

const CRASH: &[(Signal, Duration)] = &[(Signal::KILL, Duration::from_secs(5))];

/// How long an orphan may take to write its file and go.
const ORPHAN_LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// A directory for this server alone; it is made if needed.
    pub data_dir: PathBuf,
    pub durability: Durability,
}

/// A running Redis. Dropping it stops it as [`Redis::stop`] does.
#[derive(Debug)]
pub struct Redis {
    guard: Option<Guard>,
    home: Home,
    socket: PathBuf,
    url: String,
    durability: Durability,
}

impl Redis {
    /// Starts the server and comes back when it has read its data and answers.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::InUse`], [`Error::DidNotStart`] with the end of the log, and what
    /// the file system answers.
    pub fn start(options: &RedisOptions) -> Result<Self, Error> {
        let program = programs::redis()?;
        let home = Home::open(&options.data_dir, Account::current())?;
        let socket = home.prepare_socket(SOCKET)?;
        stop_orphan(&socket)?;

        let data = home.directory().join("data");
        fs::create_dir_all(&data).at(&data)?;
        let configuration = configuration(&data, &socket, options.durability);
        let configuration = home.write_private("redis.conf", Account::current(), &configuration)?;
        let log = home.begin_log()?;
        let mut command = Command::new(&program);
        command.arg(configuration).stdin(Stdio::null()).stdout(log.try_clone().at(&home.log())?).stderr(log);
        let mut guard = Guard::spawn(command, Signal::TERM).at(&program)?;
        let waited = guard.wait_until(START_LIMIT, || answers(&socket)).at(&socket)?;
        if waited != Waited::Ready {
            return Err(Error::DidNotStart { program: "Redis", log: home.log(), tail: home.log_tail() });
        }
        Ok(Self { guard: Some(guard), url: url(&socket), home, socket, durability: options.durability })
    }

    /// The address of the server that another process runs in this directory, if one does.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory has no absolute path.
    pub fn url_in(data_dir: &Path) -> Result<Option<String>, Error> {
        let socket = home::socket_in(&Home::locate(data_dir)?, SOCKET);
        Ok(answers(&socket).then(|| url(&socket)))
    }

    /// An address for redis-rs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server and waits until it has written its data and is gone.
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
            return Err(Error::DoesNotStop { program: "Redis", pid });
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

    #[cfg(test)]
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.shut_down(STOP);
    }
}

fn configuration(data: &Path, socket: &Path, durability: Durability) -> String {
    let append_only = match durability {
        Durability::Durable => "yes",
        Durability::Throwaway => "no",
    };
    format!(
        "port 0\nunixsocket {}\nunixsocketperm 700\ndir {}\ndaemonize no\nsave \"\"\n\
         appendonly {append_only}\nappendfsync everysec\n",
        quote(socket),
        quote(data),
    )
}

fn url(socket: &Path) -> String {
    format!("redis+unix://{}", percent_encode(socket))
}

fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whoever listens on a socket in our own directory is ours. The caller holds the lock, so the Millrace
/// that started it is gone.
fn stop_orphan(socket: &Path) -> Result<(), Error> {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return Ok(());
    };
    stream.set_read_timeout(Some(ORPHAN_LIMIT)).at(socket)?;
    stream.write_all(b"SHUTDOWN\r\n").at(socket)?;
    // The connection ends when the process does; anything else it says is a refusal.
    let mut answer = [0; 256];
    match stream.read(&mut answer) {
        Ok(0) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
        Ok(length) => {
            let refusal = String::from_utf8_lossy(&answer[..length]).into_owned();
            Err(io::Error::other(refusal)).at(socket)
        }
        Err(error) => Err(error).at(socket),
    }
}

/// Redis takes connections before it has read its data, and says so.
fn answers(socket: &Path) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ask().unwrap_or(false)
}
