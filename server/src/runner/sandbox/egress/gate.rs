//! Who may be reached: decides about a host, resolves its name, and connects to the very address that was looked at.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::io::{InspectReader, InspectWriter};

use super::address::is_public;
use crate::config::{Endpoint, HostPattern};

/// For finding the addresses of a name, and for each of them to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;
/// A connection on which nothing comes or goes for this long is closed. Models may think for minutes before they speak.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(15 * 60);
/// So many hosts are told apart; a program that asks for more is not worth more lines.
const HOSTS_TOLD: usize = 200;

/// A host that an attempt was kept from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} was refused: {reason}")]
pub struct Refusal {
    pub endpoint: Endpoint,
    pub reason: RefusalReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    #[error("it is not on the list of allowed hosts")]
    NotAllowed,
    #[error("its address {0} is not on the public internet")]
    Private(IpAddr),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0} could not be reached: {1}")]
    Failed(Endpoint, #[source] io::Error),
}

/// What went through, in bytes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
}

pub(super) trait Wire: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Wire for T {}

/// A connection that is counted and that does not stay silent for ever.
pub(super) type Upstream = Pin<Box<dyn Wire>>;

pub(super) struct Gate {
    allow: Vec<HostPattern>,
    allow_private: Vec<Endpoint>,
    traffic: Arc<Traffic>,
    refusals: mpsc::Sender<Refusal>,
    told: Mutex<HashSet<Endpoint>>,
}

impl Gate {
    pub(super) fn new(
        allow: Vec<HostPattern>,
        allow_private: Vec<Endpoint>,
        traffic: Arc<Traffic>,
        refusals: mpsc::Sender<Refusal>,
    ) -> Self {
        Self { allow, allow_private, traffic, refusals, told: Mutex::default() }
    }

    /// A connection to `wanted`, if it may be reached.
    pub(super) async fn connect(&self, wanted: &Endpoint) -> Result<Upstream, NoConnection> {
        let addresses = self.addresses(wanted).await?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses.into_iter().take(ADDRESSES) {
            match within_limit(TcpStream::connect(address)).await {
                Ok(stream) => return Ok(self.watch(stream)),
                Err(error) => last = error,
            }
        }
        Err(NoConnection::Failed(wanted.clone(), last))
    }

    /// The addresses of `wanted` that may be spoken to. A host that is not allowed is not even looked up: a name could
    /// carry what an attempt wants to give away.
    async fn addresses(&self, wanted: &Endpoint) -> Result<Vec<SocketAddr>, NoConnection> {
        let is_private = self.allow_private.contains(wanted);
        if !is_private && !self.allow.iter().any(|pattern| pattern.matches(wanted)) {
            return Err(self.refuse(wanted, RefusalReason::NotAllowed));
        }
        let found: Vec<SocketAddr> = within_limit(lookup_host((wanted.host(), wanted.port())))
            .await
            .map_err(|error| NoConnection::Failed(wanted.clone(), error))?
            .collect();
        if is_private {
            return Ok(found);
        }
        let (public, inside): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|address| is_public(address.ip()));
        match inside.first() {
            Some(address) if public.is_empty() => {
                Err(self.refuse(wanted, RefusalReason::Private(address.ip())))
            }
            _ => Ok(public),
        }
    }

    fn refuse(&self, wanted: &Endpoint, reason: RefusalReason) -> NoConnection {
        let refusal = Refusal { endpoint: wanted.clone(), reason };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < HOSTS_TOLD && told.insert(wanted.clone()) {
            // One that nobody has room for is told when it is asked for again.
            if self.refusals.try_send(refusal.clone()).is_err() {
                told.remove(wanted);
            }
        }
        refusal.into()
    }

    fn watch(&self, stream: TcpStream) -> Upstream {
        let (sent, received) = (Arc::clone(&self.traffic), Arc::clone(&self.traffic));
        let stream = InspectWriter::new(stream, move |bytes: &[u8]| {
            sent.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        let stream = InspectReader::new(stream, move |bytes: &[u8]| {
            received.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        let mut stream = TimeoutStream::new(stream);
        stream.set_read_timeout(Some(SILENCE_LIMIT));
        stream.set_write_timeout(Some(SILENCE_LIMIT));
        Box::pin(stream)
    }
}

async fn within_limit<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_LIMIT, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
