//! The only way out of a sandbox: an HTTP proxy on a unix socket that lets through what is allowed.

mod address;
mod gate;
mod provider;
mod serve;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    net::UnixListener,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

pub use gate::{Refusal, RefusalReason};
pub use provider::{KeptKey, Provider};

use crate::config::{Endpoint, HostPattern};
use gate::{Gate, Traffic};

/// Connections at once; more wait.
const CONNECTIONS: usize = 256;
/// After the machine had no file descriptor left for a connection.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Refusals that nobody has read yet.
const REFUSALS: usize = 64;

/// What an attempt has sent and received, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficFigures {
    pub sent: u64,
    pub received: u64,
}

/// A running proxy; it ends, with all connections, when this is dropped.
pub(super) struct Proxy {
    traffic: Arc<Traffic>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Serves whoever connects to `listener`. Each refused host is told once.
    pub(super) fn start(
        listener: UnixListener,
        allow: Vec<HostPattern>,
        allow_private: Vec<Endpoint>,
        provider: Option<Provider>,
    ) -> (Self, mpsc::Receiver<Refusal>) {
        let traffic = Arc::<Traffic>::default();
        let (refuse, refusals) = mpsc::channel(REFUSALS);
        let gate = Gate::new(allow, allow_private, Arc::clone(&traffic), refuse);
        let ways = Ways { gate, provider, traffic: Arc::clone(&traffic) };
        let task = tokio::spawn(accept(listener, Arc::new(ways)));
        (Self { traffic, _task: AbortOnDropHandle::new(task) }, refusals)
    }

    pub(super) fn traffic(&self) -> TrafficFigures {
        TrafficFigures {
            sent: self.traffic.sent.load(Ordering::Relaxed),
            received: self.traffic.received.load(Ordering::Relaxed),
        }
    }
}

/// Where a program's request can go.
struct Ways {
    gate: Gate,
    /// For what is asked of the proxy itself.
    provider: Option<Provider>,
    traffic: Arc<Traffic>,
}

async fn accept(listener: UnixListener, ways: Arc<Ways>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let ways = Arc::clone(&ways);
                connections.spawn(async move {
                    serve::serve(stream, &ways).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "the proxy could not accept a connection");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}
