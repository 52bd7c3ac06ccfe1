//! What this GitHub knows, in memory, and the verbs with which a test arranges it and looks at it.
//!
//! A verb that names what does not exist panics: the mistake is in the arrangement.

mod accounts;
mod apps;
mod checks;
mod fire;
mod look;
mod pulls;
mod render;
mod repositories;
mod threads;
mod verbs;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::{mpsc, watch};

pub use accounts::{Account, AccountKind, Role};
pub use apps::App;
pub(crate) use apps::{Access, Installation, InstallationToken, OauthClient, Token, Use};
pub(crate) use checks::CheckChange;
pub use checks::CheckRun;
pub(crate) use fire::Event;
pub use look::PullSummary;
pub(crate) use pulls::PullChange;
pub use pulls::{Pull, Review, ReviewComment};
pub(crate) use repositories::PlainHook;
pub use repositories::Repository;
pub use threads::{Comment, Reaction, Thread};
pub(crate) use threads::{IssueChange, Progress, Target, add};

use crate::{
    faults::Faults,
    limits::Limits,
    manifest::ManifestCode,
    oauth::Grant,
    refusal::Refusal,
    webhooks::{Delivery, Outgoing},
};

pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Everything behind the fake's addresses.
pub struct World {
    state: Mutex<State>,
    pub(crate) faults: Faults,
    /// One push at a time, so that each sees which branches it moved.
    pub(crate) pushing: tokio::sync::Mutex<()>,
    /// How many webhooks wait or are under way.
    pub(crate) unsent: watch::Sender<usize>,
}

impl World {
    pub(crate) fn new(url: String, root: PathBuf, outbox: mpsc::Sender<Outgoing>) -> Self {
        let state = State {
            url,
            root,
            accounts: BTreeMap::new(),
            repositories: BTreeMap::new(),
            renamed: HashMap::new(),
            apps: Vec::new(),
            clients: Vec::new(),
            installations: Vec::new(),
            tokens: HashMap::new(),
            grants: HashMap::new(),
            manifests: HashMap::new(),
            deliveries: Vec::new(),
            limits: Limits::default(),
            outbox,
            unsent: watch::Sender::new(0),
            sending: Sending::On,
            last_id: 1000,
        };
        Self {
            unsent: state.unsent.clone(),
            state: Mutex::new(state),
            faults: Faults::default(),
            pushing: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether webhooks leave the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    On,
    Paused,
}

pub(crate) struct State {
    pub url: String,
    /// Holds the bare repositories, `OWNER/NAME.git`.
    pub root: PathBuf,
    /// By login in lower case: users, organisations and the apps' bots.
    pub accounts: BTreeMap<String, Account>,
    /// By full name in lower case.
    pub repositories: BTreeMap<String, Repository>,
    /// The full name now, by the one before in lower case.
    pub renamed: HashMap<String, String>,
    pub apps: Vec<App>,
    pub clients: Vec<OauthClient>,
    pub installations: Vec<Installation>,
    pub tokens: HashMap<String, Token>,
    pub grants: HashMap<String, Grant>,
    pub manifests: HashMap<String, ManifestCode>,
    pub deliveries: Vec<Delivery>,
    pub limits: Limits,
    pub outbox: mpsc::Sender<Outgoing>,
    pub unsent: watch::Sender<usize>,
    pub sending: Sending,
    last_id: u64,
}

impl State {
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn api_url(&self) -> String {
        format!("{}/api/v3", self.url)
    }
}

/// As GitHub writes times.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
