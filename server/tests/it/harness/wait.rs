//! Waiting for what will be: a look again and again, with a limit that only a broken program reaches.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// Generous, because the machine may be slow and busy.
pub const LIMIT: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something, and returns it.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// Looks until it is so.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    eventually(what, async || look().await.then_some(())).await;
}

/// Something that a script waits for: closed until the test opens it. The wait is bounded, so that a script whose test
/// has failed does not stay.
pub struct Gate(PathBuf);

impl Gate {
    pub fn new(directory: &Path, name: &str) -> Self {
        Self(directory.join(format!("gate-{name}")))
    }

    /// A command for a script that waits.
    pub fn wait(&self) -> String {
        format!("for i in $(seq 2000); do [ -e '{}' ] && break; sleep 0.05; done", self.0.display())
    }

    pub fn open(&self) {
        std::fs::write(&self.0, "").unwrap();
    }
}
