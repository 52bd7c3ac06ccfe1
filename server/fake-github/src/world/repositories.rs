//! Repositories: what is remembered of one, and how it and its fork come to be, with real git behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{AccountKind, CheckRun, Event, Outcome, Role, State, Thread, Token};
use crate::{
    git::{self, Change},
    refusal::Refusal,
    webhooks::HookOwner,
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

/// A webhook of a repository's own or of an organisation, without any app.
#[derive(Clone, Debug)]
pub(crate) struct PlainHook {
    pub id: u64,
    pub url: String,
    pub secret: String,
    pub events: Vec<String>,
    pub active: bool,
    pub created_at: DateTime<Utc>,
}

impl PlainHook {
    pub fn hears(&self, event: &str) -> bool {
        self.active && self.events.iter().any(|name| name == "*" || name == event)
    }
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

    /// What names it elsewhere follows; the old name leads to the new one.
    pub fn rename_repository(&mut self, full_name: &str, name: &str, by: &str) -> Outcome<()> {
        let old = self.repository(full_name)?.full_name();
        let mut repository = self.repositories.remove(&old.to_lowercase()).ok_or_else(Refusal::not_found)?;
        let old_name = std::mem::replace(&mut repository.name, name.to_owned());
        let new = repository.full_name();
        std::fs::rename(self.bare(&old), self.bare(&new))
            .map_err(|error| Refusal::unprocessable(&format!("The repository does not move: {error}")))?;
        self.repositories.insert(new.to_lowercase(), repository);
        self.renamed.insert(old.to_lowercase(), new.clone());
        let follow = |named: &mut String| {
            if named.eq_ignore_ascii_case(&old) {
                named.clone_from(&new);
            }
        };
        for repository in self.repositories.values_mut() {
            repository.fork_of.iter_mut().for_each(follow);
            let pulls = repository.threads.values_mut().filter_map(|thread| thread.pull.as_mut());
            pulls.for_each(|pull| follow(&mut pull.head_repository));
        }
        let installed = self.installations.iter_mut().map(|found| &mut found.repositories);
        let tokens = self.tokens.values_mut().filter_map(|token| match token {
            Token::Installation(token) => Some(&mut token.repositories),
            Token::User { .. } => None,
        });
        for names in installed.chain(tokens) {
            if names.remove(&old) {
                names.insert(new.clone());
            }
        }
        for delivery in &mut self.deliveries {
            if let HookOwner::Repository { repository, .. } = &mut delivery.owner {
                follow(repository);
            }
        }
        self.fire(Event {
            name: "repository",
            action: Some("renamed"),
            repository: Some(&new),
            sender: by,
            payload: json!({ "changes": { "repository": { "name": { "from": old_name } } } }),
        });
        Ok(())
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
