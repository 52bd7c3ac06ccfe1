//! The jobs that Millrace has accepted, and how each looked when it had ended.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::model::{Attempt, AttemptState, JobId, JobState, Timestamp};
use tokio::time::sleep;

use crate::{client::Client, plan::Plan};

/// One accepted job.
#[derive(Clone, Debug)]
pub struct Entry {
    pub plan: Plan,
    /// Not before this time it was to run.
    pub due: Option<Timestamp>,
    /// When Millrace said that it is canceled and will not run.
    pub canceled: Option<Timestamp>,
    /// How it ended, as seen first.
    pub ended: Option<JobState>,
    /// Each attempt as it was when it was first seen ended: nothing may change it afterwards.
    pub attempts: BTreeMap<u32, Attempt>,
}

#[derive(Default)]
pub struct Ledger(Mutex<BTreeMap<JobId, Entry>>);

impl Ledger {
    pub fn accept(&self, id: JobId, plan: Plan, due: Option<Timestamp>) {
        let entry = Entry { plan, due, canceled: None, ended: None, attempts: BTreeMap::new() };
        self.entries().insert(id, entry);
    }

    pub fn canceled(&self, id: JobId, at: Timestamp) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.canceled = Some(at);
        }
    }

    pub fn all(&self) -> BTreeMap<JobId, Entry> {
        self.entries().clone()
    }

    /// The jobs that were not seen ended yet.
    pub fn unsettled(&self) -> Vec<JobId> {
        self.entries().iter().filter(|(_, entry)| entry.ended.is_none()).map(|(id, _)| *id).collect()
    }

    fn observe(&self, id: JobId, state: JobState, attempts: Vec<Attempt>) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&id) else { return };
        for attempt in attempts.into_iter().filter(|attempt| attempt.state != AttemptState::Running) {
            entry.attempts.entry(attempt.attempt).or_insert(attempt);
        }
        if state.is_finished() {
            entry.ended.get_or_insert(state);
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the jobs that have not ended, for ever.
pub async fn observe(ledger: Arc<Ledger>, client: Client) {
    loop {
        for id in ledger.unsettled() {
            if let Ok(Some(detail)) = client.job(id).await {
                ledger.observe(id, detail.job.state, detail.attempts);
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}
