//! Carries the program's connections to the proxy outside, and signals from outside to the program.

use std::{
    future::pending,
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpStream, UnixStream},
    runtime,
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::config::Endpoint;

/// After a connection could not be taken: there are as many open as there may be, and some of them will end.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest answer of the proxy to a tunnel.
const ANSWER_BYTES: usize = 4096;

/// Does it from a thread of its own from now on. `program` is awaited there before a signal is passed on.
pub(super) fn start(
    egress: &Path,
    listeners: Vec<(TcpListener, Option<Endpoint>)>,
    program: mpsc::Receiver<Pid>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let _guard = runtime.enter();
    // Before the program starts: a signal that comes earlier must not be lost.
    let mut signals = Vec::new();
    for (kind, passed_on) in [
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::hangup(), Signal::HUP),
    ] {
        signals.push((signal(kind)?, passed_on));
    }
    for (listener, to) in listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        runtime.spawn(accept(listener, egress.to_owned(), to));
    }
    drop(_guard);
    thread::Builder::new().name("forward".to_owned()).spawn(move || {
        let Ok(program) = program.recv() else { return };
        for (mut signal, passed_on) in signals {
            runtime.spawn(async move {
                while signal.recv().await.is_some() {
                    // One that is gone already is fine.
                    let _ = kill_process_group(program, passed_on);
                }
            });
        }
        runtime.block_on(pending::<()>());
    })?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, egress: PathBuf, to: Option<Endpoint>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let (egress, to) = (egress.clone(), to.clone());
        tokio::spawn(async move {
            // Whichever end breaks it: the other sees it closed.
            let _ = carry(stream, &egress, to.as_ref()).await;
        });
    }
}

async fn carry(mut program: TcpStream, egress: &Path, to: Option<&Endpoint>) -> io::Result<()> {
    let mut proxy = UnixStream::connect(egress).await?;
    if let Some(endpoint) = to {
        open_tunnel(&mut proxy, endpoint).await?;
    }
    copy_bidirectional(&mut program, &mut proxy).await.map(drop)
}

/// Asks the proxy for the endpoint, for a program that thinks it is there already.
async fn open_tunnel(proxy: &mut UnixStream, endpoint: &Endpoint) -> io::Result<()> {
    let request = format!("CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\n\r\n");
    proxy.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // Byte by byte, so that nothing of what follows the answer is taken.
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < ANSWER_BYTES {
        answer.push(proxy.read_u8().await?);
    }
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}
