//! The motion: ids of jobs in Redis lists, claimed by runners, and the bells that ring when something changed.
//!
//! Everything here may be lost at any moment. Postgres knows what is queued; `lifecycle::reconcile` fills the lists again.

mod bell;
mod claim;
mod keys;
mod lane;
mod push;
mod reconcile;

pub use bell::{Bells, Ring};
pub use claim::{Claim, Doorbell};
pub use keys::Keys;
pub use lane::{LaneDepth, LaneLimits, Paused};
pub use push::Entry;

use std::time::Duration;

use anyhow::Context as _;
use redis::{
    Client, ProtocolVersion,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::ExposeSecret;

use crate::config::RedisConfig;

/// How long a command may take before Redis counts as away.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Millrace's side of one Redis. Cloning is cheap: all clones share one connection.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    connection: ConnectionManager,
    bells: Bells,
    keys: Keys,
}

impl Queue {
    /// Connects, and goes on connecting when the connection is lost.
    pub async fn connect(config: &RedisConfig) -> anyhow::Result<Self> {
        let url = config.url.expose_secret();
        let info = redis::IntoConnectionInfo::into_connection_info(url)
            .context("`redis.url` is not the address of a Redis")?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings)).context("`redis.url` cannot be used")?;
        let bells =
            Bells::connect(&client).await.context("Redis cannot be reached at the address in `redis.url`")?;
        let connection = ConnectionManager::new_with_config(client.clone(), manager_config())
            .await
            .context("Redis cannot be reached at the address in `redis.url`")?;
        Ok(Self { client, connection, bells, keys: Keys::new(&config.prefix) })
    }

    pub fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    pub fn bells(&self) -> &Bells {
        &self.bells
    }

    /// Asks Redis for a sign of life.
    pub async fn ping(&self) -> redis::RedisResult<()> {
        redis::cmd("PING").query_async(&mut self.connection()).await
    }

    /// Rings `channel`: whoever listens hears `message`, nobody else ever will.
    pub async fn ring(&self, channel: &str, message: &[u8]) -> redis::RedisResult<()> {
        redis::cmd("PUBLISH").arg(channel).arg(message).query_async(&mut self.connection()).await
    }
}

fn manager_config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_max_delay(Duration::from_secs(1))
        .set_number_of_retries(3)
}
