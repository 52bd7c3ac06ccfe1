//! The motion: ids of jobs in Redis lists, claimed by runners, and the bells that ring when something changed.
//!
//! Everything here may be lost at any moment. Postgres knows what is queued; `lifecycle::reconcile` fills the lists again.

mod address;
mod bell;
mod claim;
mod connection;
mod doorbell;
mod keys;
mod lane;
mod push;
mod reconcile;

pub use bell::{Bells, Ring};
pub use claim::Claim;
pub use connection::Connection;
pub use doorbell::Doorbell;
pub use keys::Keys;
pub use lane::{LaneDepth, LaneLimits, Paused};
pub use push::Entry;

use std::time::Duration;

use anyhow::Context as _;

use self::address::{Address, ConnectionOptions};
use crate::config::RedisConfig;

/// Whether this is a form of `redis.url` that is understood.
pub fn is_address(url: &str) -> bool {
    Address::parse_url(url, None).is_ok()
}

/// How long a command may take before Redis counts as away.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Millrace's side of one Redis. Cloning is cheap: all clones share one connection.
#[derive(Clone)]
pub struct Queue {
    address: Address,
    connection: Connection,
    bells: Bells,
    keys: Keys,
}

impl Queue {
    /// Connects, and goes on connecting when the connection is lost.
    pub async fn connect(config: &RedisConfig) -> anyhow::Result<Self> {
        const AWAY: &str = "Redis cannot be reached at the address in `redis.url`";
        let address = Address::parse(config)?;
        let bells = Bells::connect(&address).await.context(AWAY)?;
        let options = ConnectionOptions { response_timeout: Some(RESPONSE_TIMEOUT), pushes: None };
        let connection = address.connect(options).await.context(AWAY)?;
        Ok(Self { address, connection, bells, keys: Keys::new(&config.prefix) })
    }

    pub fn connection(&self) -> Connection {
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
