//! Repositories: what is remembered of one, and how it and its fork come to be, with real git behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use chrono::{DateTime, Utc};

use super::{AccountKind, CheckRun, Outcome, Role, State, Thread};
use crate::{
    git::{self, Change},
    refusal::Refusal,
};

#[derive(Clone, Debug)]
pub struct Repository {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub private: bool,
    /// The full name of what this was forked from.
    pub fork_of: Option<String>,
    pub default_branch: String,
    pub created_at: DateTime<Utc>,
    /// By login in lower case.
    pub roles: BTreeMap<String, Role>,
    pub labels: BTreeSet<String>,
    /// Issues and pull requests share their numbers.
    pub threads: BTreeMap<u64, Thread>,
    pub checks: Vec<CheckRun>,
    pub(crate) hooks: Vec<PlainHook>,
}

/// A repository's own webhook, without any app.
#[derive(Clone, Debug)]
pub(crate) struct PlainHook {
    pub id: u64,
    pub url: String,
    pub secret: String,
    pub events: Vec<String>,
    pub active: bool,
    pub created_at: DateTime<Utc>,
}

impl Repository {
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl State {
    pub fn repository(&self, full_name: &str) -> Outcome<&Repository> {
        self.repositories.get(&full_name.to_lowercase()).ok_or_else(Refusal::not_found)
    }

    pub fn repository_mut(&mut self, full_name: &str) -> Outcome<&mut Repository> {
        self.repositories.get_mut(&full_name.to_lowercase()).ok_or_else(Refusal::not_found)
    }

    /// The bare repository's folder.
    pub fn bare(&self, full_name: &str) -> PathBuf {
        self.root.join(format!("{}.git", full_name.to_lowercase()))
    }

    /// With a first commit on `main`.
    pub fn add_repository(&mut self, full_name: &str) -> Outcome<()> {
        let Some((owner, name)) = full_name.split_once('/') else {
            return Err(Refusal::unprocessable("A repository is named OWNER/NAME"));
        };
        self.ensure_account(owner, AccountKind::User);
        git::init(&self.bare(full_name))?;
        let readme = format!("# {name}\n\nA repository of the fake GitHub.\n");
        let change = Change {
            branch: "main",
            from: None,
            author: owner,
            message: "Add a README",
            files: &[("README.md", &readme)],
        };
        git::commit(&self.bare(full_name), &change)?;
        self.insert_repository(owner, name, None);
        Ok(())
    }

    /// This person's fork, made where there is none yet.
    pub fn ensure_fork(&mut self, full_name: &str, owner: &str) -> Outcome<String> {
        let parent = self.repository(full_name)?.full_name();
        let name = self.repository(full_name)?.name.clone();
        let fork = format!("{owner}/{name}");
        if self.repository(&fork).is_err() {
            git::fork(&self.bare(&parent), &self.bare(&fork))?;
            self.insert_repository(owner, &name, Some(parent));
        }
        Ok(fork)
    }

    fn insert_repository(&mut self, owner: &str, name: &str, fork_of: Option<String>) {
        let repository = Repository {
            id: self.next_id(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            private: false,
            fork_of,
            default_branch: "main".to_owned(),
            created_at: Utc::now(),
            roles: BTreeMap::new(),
            labels: ["bug", "enhancement"].map(str::to_owned).into(),
            threads: BTreeMap::new(),
            checks: Vec::new(),
            hooks: Vec::new(),
        };
        self.repositories.insert(repository.full_name().to_lowercase(), repository);
    }
}
