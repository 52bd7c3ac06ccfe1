//! Channels that ring when something changed. A ring may be lost, so whoever listens also looks from time to time.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::{
    sync::{Notify, broadcast},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Connection, RESPONSE_TIMEOUT,
    address::{Address, ConnectionOptions},
};

/// Rings that a listener may be behind before it only hears that it missed some.
const BACKLOG: usize = 1024;
/// How long to wait before a subscription is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How often a silent connection is asked for a sign of life: it would be as silent when nobody is there any more.
const PING_EVERY: Duration = Duration::from_secs(10);

/// One connection for all subscriptions of this process; it subscribes again by itself when it was lost.
#[derive(Clone)]
pub struct Bells {
    listeners: Arc<Listeners>,
    _subscribing: Arc<AbortOnDropHandle<()>>,
}

#[derive(Default)]
struct Listeners {
    by_channel: Mutex<HashMap<String, broadcast::Sender<Bytes>>>,
    /// The channels are others than before, or Redis has forgotten them.
    changed: Notify,
    /// Redis has forgotten them.
    lost: AtomicBool,
}

/// A subscription to one channel. The channel is left when the last of its rings is dropped.
pub struct Ring {
    receiver: Option<broadcast::Receiver<Bytes>>,
    channel: String,
    listeners: Arc<Listeners>,
}

impl Bells {
    pub(super) async fn connect(address: &Address) -> RedisResult<Self> {
        let listeners = Arc::new(Listeners::default());
        let hearing = Arc::clone(&listeners);
        let pushes = Arc::new(move |push| {
            hearing.hear(push);
            Ok::<(), Infallible>(())
        });
        let options = ConnectionOptions { response_timeout: Some(RESPONSE_TIMEOUT), pushes: Some(pushes) };
        let connection = address.connect(options).await?;
        let subscribing = tokio::spawn(subscribe(connection, Arc::clone(&listeners)));
        Ok(Self { listeners, _subscribing: Arc::new(AbortOnDropHandle::new(subscribing)) })
    }

    /// Listens to `channel`. Redis hears of it in the background, again and again while it is away.
    pub fn listen(&self, channel: &str) -> Ring {
        let mut by_channel = self.listeners.by_channel();
        let receiver = match by_channel.get(channel) {
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, receiver) = broadcast::channel(BACKLOG);
                by_channel.insert(channel.to_owned(), sender);
                self.listeners.changed.notify_one();
                receiver
            }
        };
        Ring { receiver: Some(receiver), channel: channel.to_owned(), listeners: Arc::clone(&self.listeners) }
    }
}

impl Listeners {
    fn by_channel(&self) -> MutexGuard<'_, HashMap<String, broadcast::Sender<Bytes>>> {
        self.by_channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, push: PushInfo) {
        match push.kind {
            PushKind::Disconnection => {
                self.lost.store(true, Ordering::Relaxed);
                self.changed.notify_one();
            }
            PushKind::Message => {
                let mut data = push.data.into_iter();
                if let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
                    (data.next(), data.next())
                    && let Ok(channel) = std::str::from_utf8(&channel)
                    && let Some(sender) = self.by_channel().get(channel)
                {
                    // Nobody listening any more is fine.
                    let _ = sender.send(Bytes::from(message));
                }
            }
            _ => {}
        }
    }
}

/// Keeps Redis informed of which channels have listeners.
async fn subscribe(mut connection: Connection, listeners: Arc<Listeners>) {
    let mut subscribed = HashSet::new();
    loop {
        let changed = timeout(PING_EVERY, listeners.changed.notified()).await;
        if listeners.lost.swap(false, Ordering::Relaxed) {
            subscribed.clear();
        }
        let answer = match changed {
            Ok(()) => bring_up_to_date(&mut connection, &listeners, &mut subscribed).await,
            Err(_) => redis::cmd("PING").query_async(&mut connection).await,
        };
        if let Err(error) = answer {
            tracing::warn!(%error, "Redis is away; changes are noticed by looking");
            subscribed.clear();
            sleep(RETRY_AFTER).await;
            listeners.changed.notify_one();
        }
    }
}

/// One channel after the other: in a Cluster each may be another node's.
async fn bring_up_to_date(
    connection: &mut Connection,
    listeners: &Listeners,
    subscribed: &mut HashSet<String>,
) -> RedisResult<()> {
    let wanted: HashSet<String> = listeners.by_channel().keys().cloned().collect();
    for channel in wanted.difference(&*subscribed).cloned().collect::<Vec<_>>() {
        connection.subscribe(&channel).await?;
        subscribed.insert(channel);
    }
    for channel in subscribed.difference(&wanted).cloned().collect::<Vec<_>>() {
        connection.unsubscribe(&channel).await?;
        subscribed.remove(&channel);
    }
    Ok(())
}

impl Ring {
    /// Waits for the next ring and returns its message; `None` when some were missed, so that the listener looks for itself.
    pub async fn heard(&mut self) -> Option<Bytes> {
        match self.receiver.as_mut()?.recv().await {
            Ok(message) => Some(message),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            // Cannot happen while this ring keeps its sender's map entry; then nothing will ever ring.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Forgets what rang up to now.
    pub fn catch_up(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            *receiver = receiver.resubscribe();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The receiver goes first, so that the count below is of the others.
        self.receiver = None;
        let mut by_channel = self.listeners.by_channel();
        if by_channel.get(&self.channel).is_some_and(|sender| sender.receiver_count() == 0) {
            by_channel.remove(&self.channel);
            self.listeners.changed.notify_one();
        }
    }
}
