//! What jobs wrote down about themselves, in one file a job, each mark in one append.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use app::model::{JobId, Timestamp};
use serde::{Deserialize, Serialize};

const ENDING: &str = "marks";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mark {
    pub job: JobId,
    pub attempt: u32,
    pub at: Timestamp,
    pub event: Event,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    Start {
        /// The attempts of the same job that ran at this moment.
        beside: Vec<u32>,
    },
    End {
        code: u8,
    },
}

impl Mark {
    pub fn now(job: JobId, attempt: u32, event: Event) -> Self {
        Self { job, attempt, at: now(), event }
    }

    pub fn is_start(&self) -> bool {
        matches!(self.event, Event::Start { .. })
    }
}

/// The time on the clock that all processes here share.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// One job's file.
pub struct Marks(File);

impl Marks {
    pub fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name).with_extension(ENDING);
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    pub fn add(&mut self, mark: &Mark) -> io::Result<()> {
        let mut line = serde_json::to_vec(mark)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

/// All marks, by the names of the jobs' plans.
pub fn read_all(directory: &Path) -> anyhow::Result<BTreeMap<String, Vec<Mark>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != ENDING) {
            continue;
        }
        let name =
            path.file_stem().and_then(|name| name.to_str()).context("a file without a name")?.to_owned();
        let marks = fs::read_to_string(&path)?.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        all.insert(name, marks.with_context(|| path.display().to_string())?);
    }
    Ok(all)
}
