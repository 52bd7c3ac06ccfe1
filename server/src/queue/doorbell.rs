//! Where idle runners wait.

use std::{io, time::Duration};

use app::model::Kind;
use redis::RedisResult;
use tokio::time::timeout;

use super::{Connection, Queue, RESPONSE_TIMEOUT, address::ConnectionOptions};

/// The door of some lanes. It has a connection of its own, because waiting blocks it.
pub struct Doorbell {
    queue: Queue,
    lanes: Vec<Kind>,
    connection: Option<Connection>,
}

impl Queue {
    /// The door at which a runner waits for work in `lanes`.
    pub fn doorbell(&self, lanes: &[Kind]) -> Doorbell {
        Doorbell { queue: self.clone(), lanes: lanes.to_vec(), connection: None }
    }
}

impl Doorbell {
    /// Returns a lane that may have something to do as soon as one has, or none after `patience`.
    pub async fn wait(&mut self, patience: Duration) -> RedisResult<Option<Kind>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let options = ConnectionOptions { response_timeout: None, pushes: None };
                self.queue.address.connect(options).await?
            }
        };
        let mut command = redis::cmd("BLPOP");
        for lane in &self.lanes {
            command.arg(self.queue.keys.doorbell(*lane));
        }
        command.arg(patience.as_secs_f64());
        // How long an answer may take depends on the patience, which is another one each time.
        let rang: Option<(String, String)> =
            timeout(patience + RESPONSE_TIMEOUT, command.query_async(&mut connection))
                .await
                .map_err(io::Error::from)??;
        // Kept only after success: a broken connection is made anew next time.
        self.connection = Some(connection);
        let (door, _) = rang.unzip();
        Ok(self.lanes.iter().copied().find(|lane| door.as_ref() == Some(&self.queue.keys.doorbell(*lane))))
    }
}
