//! API tokens that were seen a moment ago: a busy script need not ask Postgres with every request.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use app::model::Person;

use crate::db::people::SecretHash;

/// A token that is withdrawn on another server is good for so long at most.
const GOOD_FOR: Duration = Duration::from_secs(2);
/// More tokens than this within that time are asked for anew.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub struct KnownTokens(Mutex<HashMap<SecretHash, (Person, Instant)>>);

impl KnownTokens {
    pub(super) fn find(&self, token: &SecretHash) -> Option<Person> {
        let tokens = self.lock();
        let (person, seen) = tokens.get(token)?;
        (seen.elapsed() < GOOD_FOR).then(|| person.clone())
    }

    pub(super) fn keep(&self, token: SecretHash, person: Person) {
        let mut tokens = self.lock();
        if tokens.len() >= MOST {
            tokens.clear();
        }
        tokens.insert(token, (person, Instant::now()));
    }

    /// For when a token was withdrawn or somebody's role has changed.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretHash, (Person, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
