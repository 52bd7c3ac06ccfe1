//! Channels that ring when something changed. A ring may be lost, so whoever listens also looks from time to time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use redis::{
    Client, PushInfo, PushKind, RedisResult, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::broadcast;

/// Rings that a listener may be behind before it only hears that it missed some.
const BACKLOG: usize = 1024;
/// How long to wait before a subscription is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

type Listeners = Arc<Mutex<HashMap<String, broadcast::Sender<Bytes>>>>;

/// One connection for all subscriptions of this process; it subscribes again by itself when it was lost.
#[derive(Clone)]
pub struct Bells {
    connection: ConnectionManager,
    listeners: Listeners,
}

/// A subscription to one channel. The channel is left when the last of its rings is dropped.
pub struct Ring {
    receiver: Option<broadcast::Receiver<Bytes>>,
    channel: String,
    bells: Bells,
}

impl Bells {
    pub(super) async fn connect(client: &Client) -> RedisResult<Self> {
        let listeners = Listeners::default();
        let heard = Arc::clone(&listeners);
        let config = ConnectionManagerConfig::new()
            .set_push_sender(move |push: PushInfo| {
                dispatch(&heard, push);
                Ok::<(), std::convert::Infallible>(())
            })
            .set_automatic_resubscription();
        let connection = ConnectionManager::new_with_config(client.clone(), config).await?;
        Ok(Self { connection, listeners })
    }

    /// Listens to `channel`. Redis hears of it in the background, again and again while it is away.
    pub fn listen(&self, channel: &str) -> Ring {
        let mut listeners = lock(&self.listeners);
        let receiver = match listeners.get(channel) {
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, receiver) = broadcast::channel(BACKLOG);
                listeners.insert(channel.to_owned(), sender);
                tokio::spawn(self.clone().subscribe(channel.to_owned()));
                receiver
            }
        };
        drop(listeners);
        Ring { receiver: Some(receiver), channel: channel.to_owned(), bells: self.clone() }
    }

    async fn subscribe(mut self, channel: String) {
        while let Err(error) = self.connection.subscribe(&channel).await {
            tracing::warn!(channel, %error, "Redis is away; changes are noticed by looking");
            tokio::time::sleep(RETRY_AFTER).await;
            if !lock(&self.listeners).contains_key(&channel) {
                return;
            }
        }
    }
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
        let mut listeners = lock(&self.bells.listeners);
        if listeners.get(&self.channel).is_some_and(|sender| sender.receiver_count() == 0) {
            listeners.remove(&self.channel);
            let (mut connection, channel) =
                (self.bells.connection.clone(), std::mem::take(&mut self.channel));
            let listeners = Arc::clone(&self.bells.listeners);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move {
                    // Somebody may have come back to the channel meanwhile. A failure only means that rings for nobody
                    // still arrive.
                    if !lock(&listeners).contains_key(&channel) {
                        let _ = connection.unsubscribe(channel).await;
                    }
                });
            }
        }
    }
}

fn dispatch(listeners: &Listeners, push: PushInfo) {
    if push.kind != PushKind::Message {
        return;
    }
    let mut data = push.data.into_iter();
    if let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) = (data.next(), data.next())
        && let Ok(channel) = std::str::from_utf8(&channel)
        && let Some(sender) = lock(listeners).get(channel)
    {
        // Nobody listening any more is fine.
        let _ = sender.send(Bytes::from(message));
    }
}

fn lock(listeners: &Listeners) -> MutexGuard<'_, HashMap<String, broadcast::Sender<Bytes>>> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}
