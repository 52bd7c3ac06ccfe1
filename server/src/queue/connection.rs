//! A connection to Redis, however Redis is run. It mends itself: what fails is the command that was on its way.

use std::{slice, sync::Arc};

use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, ConnectionManager, MultiplexedConnection},
    cluster_async::ClusterConnection,
    sentinel::SentinelClient,
};
use tokio::sync::Mutex;

/// Clones share it.
#[derive(Clone)]
pub enum Connection {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
    Master(Master),
}

impl Connection {
    /// From now on messages on `channel` are pushed, until the connection is lost or the channel left.
    pub(super) async fn subscribe(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Self::Server(server) => server.subscribe(channel).await,
            Self::Cluster(cluster) => cluster.subscribe(channel).await,
            Self::Master(master) => {
                let current = master.current().await?;
                let answer = MultiplexedConnection::clone(&current).subscribe(channel).await;
                master.heard(&current, answer.as_ref().map(|()| &[][..])).await;
                answer
            }
        }
    }

    pub(super) async fn unsubscribe(&mut self, channel: &str) -> RedisResult<()> {
        match self {
            Self::Server(server) => server.unsubscribe(channel).await,
            Self::Cluster(cluster) => cluster.unsubscribe(channel).await,
            Self::Master(master) => {
                let current = master.current().await?;
                MultiplexedConnection::clone(&current).unsubscribe(channel).await
            }
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
            Self::Master(master) => Box::pin(master.send(command)),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
            Self::Master(master) => Box::pin(master.send_all(pipeline, offset, count)),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
            // Only asked by what redis-rs does to a connection of its own.
            Self::Master(_) => 0,
        }
    }
}

/// A connection to the server that the Sentinels call master. They are asked again when it fails, or turns out to be a
/// replica now.
#[derive(Clone)]
pub struct Master(Arc<Mutex<Link>>);

struct Link {
    sentinels: SentinelClient,
    config: AsyncConnectionConfig,
    current: Option<Arc<MultiplexedConnection>>,
}

impl Master {
    pub(super) async fn connect(
        sentinels: SentinelClient,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let master = Self(Arc::new(Mutex::new(Link { sentinels, config, current: None })));
        master.current().await?;
        Ok(master)
    }

    async fn current(&self) -> RedisResult<Arc<MultiplexedConnection>> {
        let mut link = self.0.lock().await;
        let Link { sentinels, config, current } = &mut *link;
        if let Some(current) = current {
            return Ok(Arc::clone(current));
        }
        let connection = Arc::new(sentinels.get_async_connection_with_config(config).await?);
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let current = self.current().await?;
        let answer = MultiplexedConnection::clone(&current).send_packed_command(command).await;
        self.heard(&current, answer.as_ref().map(slice::from_ref)).await;
        answer
    }

    async fn send_all(&self, pipeline: &Pipeline, offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let current = self.current().await?;
        let answers =
            MultiplexedConnection::clone(&current).send_packed_commands(pipeline, offset, count).await;
        self.heard(&current, answers.as_ref().map(Vec::as_slice)).await;
        answers
    }

    /// Forgets the connection when an answer on it says that it is of no use any more.
    async fn heard(&self, connection: &Arc<MultiplexedConnection>, answer: Result<&[Value], &RedisError>) {
        let lost = match answer {
            Err(error) => error.is_io_error() || error.is_unrecoverable_error(),
            Ok(values) => values.iter().any(is_from_a_replica),
        };
        if !lost {
            return;
        }
        let mut link = self.0.lock().await;
        // Another command may have found it out before, and there is a new one.
        if link.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            link.current = None;
        }
    }
}

fn is_from_a_replica(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ReadOnly))
}
