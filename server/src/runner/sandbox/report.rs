//! The line between a sandbox's first process and the runner, on which it says which limit was hit.
//!
//! It is the first connection to a socket that is taken away again before the program starts, so the program cannot speak
//! on it.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::limits::Resource;

/// Says that the socket is gone.
pub(super) const GO: &[u8; 1] = b"\n";
/// No report is longer.
const REPORT_BYTES: u64 = 64;
/// For the runtime to notice what is in the socket.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the first process said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// It got as far as to start the program.
    pub(super) started: bool,
    pub(super) limit: Option<Resource>,
}

pub(super) struct Reporting(AbortOnDropHandle<Report>);

impl Reporting {
    pub(super) fn listen(listener: UnixListener) -> Self {
        let task = tokio::spawn(async move {
            match listener.accept().await {
                Ok((mut stream, _)) => {
                    // Closing alone is not enough: a process that is being started at this moment has a copy until it has
                    // become another program, and whoever connects to that would not be refused. Fails for no listener.
                    let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
                    drop(listener);
                    // The first process waits for this before it starts the program. Where it is gone, so is the program.
                    let _ = stream.write_all(GO).await;
                    read(stream).await
                }
                Err(_) => Report::default(),
            }
        });
        Self(AbortOnDropHandle::new(task))
    }

    /// What was said, once the sandbox has ended.
    pub(super) async fn read(self) -> Report {
        // Whoever connected is dead, and what it said is in the socket; where nobody did, nobody will.
        match timeout(LAST_WORDS, self.0).await {
            Ok(Ok(report)) => report,
            _ => Report::default(),
        }
    }
}

async fn read(stream: UnixStream) -> Report {
    let mut said = String::new();
    let heard: io::Result<usize> = stream.take(REPORT_BYTES).read_to_string(&mut said).await;
    Report { started: true, limit: heard.ok().and_then(|_| Resource::parse(said.trim())) }
}
