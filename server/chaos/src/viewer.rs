//! Somebody who watches a job live, on whichever server answers, and comes back to where it was.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use app::model::{JobId, Line};
use tokio::time::sleep;

use crate::{client::Client, output::Output};

const PAUSE: Duration = Duration::from_millis(100);

/// What a viewer saw of a job.
pub struct Watched {
    pub job: JobId,
    pub attempts: BTreeMap<u32, Output>,
    /// How often it had to connect.
    pub connections: u64,
}

/// Watches every attempt of a job to its end, beginning at one of the servers.
pub async fn watch(client: Client, job: JobId, mut server: usize) -> Watched {
    let mut watched = Watched { job, attempts: BTreeMap::new(), connections: 0 };
    for attempt in 1.. {
        if !comes(&client, job, attempt).await {
            break;
        }
        let mut output = Output::of(attempt);
        while follow(&client, server, job, attempt, &mut output).await.is_err() {
            server = 1 - server;
            sleep(PAUSE).await;
            watched.connections += 1;
        }
        watched.connections += 1;
        watched.attempts.insert(attempt, output);
    }
    watched
}

/// Waits for an attempt to start. `false`: the job ends without it.
async fn comes(client: &Client, job: JobId, attempt: u32) -> bool {
    loop {
        match client.job(job).await {
            Ok(None) => return false,
            Ok(Some(detail)) if detail.job.attempt >= attempt => return true,
            Ok(Some(detail)) if detail.job.state.is_finished() => return false,
            _ => sleep(2 * PAUSE).await,
        }
    }
}

/// Reads a stream until it says that the attempt is done.
///
/// # Errors
/// When the connection ended before, for whatever reason: `output` knows where to go on.
async fn follow(
    client: &Client,
    server: usize,
    job: JobId,
    attempt: u32,
    output: &mut Output,
) -> anyhow::Result<()> {
    let mut response = client.stream(server, job, attempt, output.last).await?;
    let mut received = String::new();
    loop {
        let chunk = response.chunk().await?.context("the stream ended")?;
        // Lines that jobs print here are plain, so a chunk never ends within a character.
        received.push_str(std::str::from_utf8(&chunk)?);
        while let Some((event, rest)) = received.split_once("\n\n") {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
            match field("event: ") {
                Some("output") => {
                    let lines: Vec<Line> = serde_json::from_str(field("data: ").unwrap_or_default())?;
                    for line in &lines {
                        output.add(line);
                    }
                }
                Some("done") => return Ok(()),
                Some("error") => bail!("{event}"),
                _ => {}
            }
            received = rest.to_owned();
        }
    }
}
