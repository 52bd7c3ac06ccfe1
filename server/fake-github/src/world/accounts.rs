//! People, organisations with their teams, the apps' bots, and who may do what with a repository.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, PlainHook, State};
use crate::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    User,
    Organization,
    Bot,
}

impl AccountKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
            Self::Bot => "Bot",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Account {
    pub id: u64,
    pub login: String,
    pub kind: AccountKind,
    /// Of an organisation.
    pub members: BTreeSet<String>,
    /// Of an organisation: who is in which team, by its slug.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// Of an organisation.
    pub(crate) hooks: Vec<PlainHook>,
}

/// What a person may do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    None,
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

impl Role {
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "read" => Self::Read,
            "triage" => Self::Triage,
            "write" => Self::Write,
            "maintain" => Self::Maintain,
            "admin" => Self::Admin,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The older word, which knows neither triage nor maintain.
    pub fn as_permission(self) -> &'static str {
        match self {
            Self::Triage => "read",
            Self::Maintain => "write",
            role => role.as_str(),
        }
    }
}

impl State {
    /// The account of this login, made where there is none yet.
    pub fn ensure_account(&mut self, login: &str, kind: AccountKind) -> &mut Account {
        if !self.accounts.contains_key(&login.to_lowercase()) {
            let id = self.next_id();
            let account = Account {
                id,
                login: login.to_owned(),
                kind,
                members: BTreeSet::new(),
                teams: BTreeMap::new(),
                hooks: Vec::new(),
            };
            self.accounts.insert(login.to_lowercase(), account);
        }
        self.accounts.entry(login.to_lowercase()).or_insert_with(|| unreachable!("it was just made"))
    }

    pub fn account(&self, login: &str) -> Outcome<&Account> {
        self.accounts.get(&login.to_lowercase()).ok_or_else(Refusal::not_found)
    }

    /// An organisation, and nothing else of this name.
    pub fn organization(&self, login: &str) -> Outcome<&Account> {
        self.account(login)
            .ok()
            .filter(|account| account.kind == AccountKind::Organization)
            .ok_or_else(Refusal::not_found)
    }

    pub fn is_member(&self, org: &str, login: &str) -> bool {
        self.organization(org)
            .is_ok_and(|org| org.members.iter().any(|member| member.eq_ignore_ascii_case(login)))
    }

    /// The users, in the order of their names.
    pub fn users(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().filter(|account| account.kind == AccountKind::User)
    }

    /// What this person may do; everybody reads what is public, and an organisation's members read all that it has.
    pub fn role(&self, repository: &str, login: &str) -> Role {
        let Ok(repository) = self.repository(repository) else { return Role::None };
        if repository.owner.eq_ignore_ascii_case(login) {
            return Role::Admin;
        }
        let given = repository.roles.get(&login.to_lowercase()).copied().unwrap_or(Role::None);
        let everybody = if repository.private { Role::None } else { Role::Read };
        let member = if self.is_member(&repository.owner, login) { Role::Read } else { Role::None };
        given.max(everybody).max(member)
    }

    pub fn association(&self, repository: &str, login: &str) -> &'static str {
        let Ok(found) = self.repository(repository) else { return "NONE" };
        if found.owner.eq_ignore_ascii_case(login) {
            "OWNER"
        } else if self.is_member(&found.owner, login) {
            "MEMBER"
        } else if found.roles.get(&login.to_lowercase()).is_some_and(|role| *role > Role::None) {
            "COLLABORATOR"
        } else {
            "NONE"
        }
    }
}
