//! GitHub Apps, where they are installed, and the tokens of people and installations.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::{AccountKind, Event, Outcome, State, stamp};
use crate::{refusal::Refusal, secrets};

/// A GitHub App. `App { webhook_url: …, ..App::default() }` has every permission and event that this GitHub knows.
#[derive(Clone, Debug)]
pub struct App {
    /// 0 has one chosen.
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub owner: String,
    pub client_id: String,
    pub client_secret: String,
    /// Empty: it gets no webhooks.
    pub webhook_url: String,
    pub webhook_secret: String,
    pub permissions: BTreeMap<String, String>,
    pub events: Vec<String>,
    pub external_url: String,
    pub setup_url: Option<String>,
    /// Where signing in may lead back to; none allows any.
    pub callback_urls: Vec<String>,
    pub created_at: DateTime<Utc>,
}

impl Default for App {
    fn default() -> Self {
        let permissions = [
            "contents",
            "issues",
            "pull_requests",
            "checks",
            "statuses",
            "repository_hooks",
            "administration",
        ]
        .map(|name| (name.to_owned(), "write".to_owned()));
        let reading = ["metadata", "members", "actions"].map(|name| (name.to_owned(), "read".to_owned()));
        let events = [
            "check_run",
            "check_suite",
            "issue_comment",
            "issues",
            "pull_request",
            "pull_request_review",
            "pull_request_review_comment",
            "push",
            "repository",
        ];
        Self {
            id: 0,
            slug: "millrace".to_owned(),
            name: "Millrace".to_owned(),
            owner: "ada".to_owned(),
            client_id: "Iv1.fake0millrace".to_owned(),
            client_secret: "fake-client-secret".to_owned(),
            webhook_url: String::new(),
            webhook_secret: "fake-webhook-secret".to_owned(),
            permissions: permissions.into_iter().chain(reading).collect(),
            events: events.map(str::to_owned).to_vec(),
            external_url: "http://127.0.0.1:7100".to_owned(),
            setup_url: None,
            callback_urls: Vec::new(),
            created_at: Utc::now(),
        }
    }
}

/// A client for signing in that is not an app.
#[derive(Clone, Debug)]
pub(crate) struct OauthClient {
    pub id: String,
    pub secret: String,
    pub name: String,
    pub callback_urls: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub id: u64,
    pub app: u64,
    /// Whose repositories.
    pub account: String,
    /// Full names.
    pub repositories: BTreeSet<String>,
    pub permissions: BTreeMap<String, String>,
    pub suspended: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub(crate) enum Token {
    User { login: String, scopes: Vec<String> },
    Installation(InstallationToken),
}

/// What an installation's token is good for, which may be less than the installation.
#[derive(Clone, Debug)]
pub(crate) struct InstallationToken {
    pub installation: u64,
    pub repositories: BTreeSet<String>,
    pub permissions: BTreeMap<String, String>,
    pub expires_at: DateTime<Utc>,
}

impl InstallationToken {
    pub fn may(&self, permission: &str, access: Access) -> bool {
        match self.permissions.get(permission).map(String::as_str) {
            Some("write" | "admin") => true,
            Some("read") => access == Access::Read,
            _ => permission == "metadata" && access == Access::Read,
        }
    }
}

/// What an owner lets an installation do for the time being.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Allowed,
    Suspended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl State {
    pub fn add_app(&mut self, mut app: App) -> u64 {
        if app.id == 0 {
            app.id = self.next_id();
        }
        let (id, bot, owner) = (app.id, format!("{}[bot]", app.slug), app.owner.clone());
        self.ensure_account(&owner, AccountKind::User);
        self.ensure_account(&bot, AccountKind::Bot);
        self.apps.push(app);
        id
    }

    /// By its number, its slug or its client's id.
    pub fn app(&self, name: &str) -> Outcome<&App> {
        self.apps
            .iter()
            .find(|app| app.id.to_string() == name || app.slug == name || app.client_id == name)
            .ok_or_else(Refusal::not_found)
    }

    pub fn installation(&self, id: u64) -> Outcome<&Installation> {
        self.installations.iter().find(|installation| installation.id == id).ok_or_else(Refusal::not_found)
    }

    pub fn installation_on(&self, app: u64, repository: &str) -> Option<&Installation> {
        self.installations.iter().find(|installation| {
            installation.app == app
                && installation.repositories.iter().any(|name| name.eq_ignore_ascii_case(repository))
        })
    }

    /// The login under which an installation acts.
    pub fn bot(&self, installation: u64) -> Outcome<String> {
        let app = self.installation(installation)?.app;
        Ok(format!("{}[bot]", self.app(&app.to_string())?.slug))
    }

    /// Installs it for the owner of these repositories, or adds them to the installation that there is.
    pub fn install(&mut self, app: &str, account: &str, repositories: &[String], by: &str) -> Outcome<u64> {
        let (app, permissions) = {
            let app = self.app(app)?;
            (app.id, app.permissions.clone())
        };
        let names: BTreeSet<String> = repositories
            .iter()
            .map(|name| self.repository(name).map(super::Repository::full_name))
            .collect::<Outcome<_>>()?;
        let listed: Vec<Value> = names.iter().map(|name| self.render_repository_short(name)).collect();
        let there = self.installations.iter_mut().find(|installation| {
            installation.app == app && installation.account.eq_ignore_ascii_case(account)
        });
        let (id, name, action, payload) = match there {
            Some(installation) => {
                installation.repositories.extend(names);
                let payload = json!({
                    "repositories_added": listed, "repositories_removed": [], "repository_selection": "selected",
                });
                (installation.id, "installation_repositories", "added", payload)
            }
            None => {
                let id = self.next_id();
                self.installations.push(Installation {
                    id,
                    app,
                    account: account.to_owned(),
                    repositories: names,
                    permissions,
                    suspended: false,
                    created_at: Utc::now(),
                });
                (id, "installation", "created", json!({ "repositories": listed }))
            }
        };
        self.fire_installation(
            id,
            Event { name, action: Some(action), repository: None, sender: by, payload },
        );
        Ok(id)
    }

    pub fn uninstall(&mut self, id: u64, by: &str) -> Outcome<()> {
        self.installation(id)?;
        let event = Event {
            name: "installation",
            action: Some("deleted"),
            repository: None,
            sender: by,
            payload: json!({}),
        };
        self.fire_installation(id, event);
        self.installations.retain(|installation| installation.id != id);
        self.tokens
            .retain(|_, token| !matches!(token, Token::Installation(token) if token.installation == id));
        Ok(())
    }

    pub fn remove_from_installation(&mut self, id: u64, repository: &str, by: &str) -> Outcome<()> {
        let removed = self.render_repository_short(repository);
        let found =
            self.installations.iter_mut().find(|found| found.id == id).ok_or_else(Refusal::not_found)?;
        found.repositories.retain(|name| !name.eq_ignore_ascii_case(repository));
        let payload = json!({
            "repositories_added": [], "repositories_removed": [removed], "repository_selection": "selected",
        });
        let event = Event {
            name: "installation_repositories",
            action: Some("removed"),
            repository: None,
            sender: by,
            payload,
        };
        self.fire_installation(id, event);
        Ok(())
    }

    pub fn set_use(&mut self, id: u64, wanted: Use, by: &str) -> Outcome<()> {
        let found =
            self.installations.iter_mut().find(|found| found.id == id).ok_or_else(Refusal::not_found)?;
        found.suspended = wanted == Use::Suspended;
        let action = Some(if wanted == Use::Suspended { "suspend" } else { "unsuspend" });
        let event = Event { name: "installation", action, repository: None, sender: by, payload: json!({}) };
        self.fire_installation(id, event);
        Ok(())
    }

    /// A token of an hour.
    pub fn issue_token(
        &mut self,
        installation: u64,
        repositories: BTreeSet<String>,
        permissions: BTreeMap<String, String>,
    ) -> (String, InstallationToken) {
        let text = format!("ghs_{}", secrets::random(96));
        let expires_at = Utc::now() + Duration::hours(1);
        let token = InstallationToken { installation, repositories, permissions, expires_at };
        self.tokens.insert(text.clone(), Token::Installation(token.clone()));
        (text, token)
    }

    pub fn render_app(&self, app: &App) -> Value {
        json!({
            "id": app.id, "node_id": format!("A_{}", app.id), "slug": app.slug, "name": app.name,
            "client_id": app.client_id, "owner": self.render_user(&app.owner), "description": "",
            "external_url": app.external_url, "html_url": format!("{}/apps/{}", self.url, app.slug),
            "created_at": stamp(app.created_at), "updated_at": stamp(app.created_at),
            "permissions": app.permissions, "events": app.events,
            "installations_count": self.installations.iter().filter(|found| found.app == app.id).count(),
        })
    }

    pub fn render_installation(&self, installation: &Installation) -> Value {
        let app = self.app(&installation.app.to_string());
        let api = self.api_url();
        json!({
            "id": installation.id, "account": self.render_user(&installation.account),
            "repository_selection": "selected", "app_id": installation.app,
            "app_slug": app.as_ref().map(|app| app.slug.clone()).unwrap_or_default(),
            "client_id": app.as_ref().map(|app| app.client_id.clone()).unwrap_or_default(),
            "target_type": self.account(&installation.account).map_or("User", |account| account.kind.as_str()),
            "target_id": self.account(&installation.account).map_or(0, |account| account.id),
            "permissions": installation.permissions,
            "events": app.map(|app| app.events.clone()).unwrap_or_default(),
            "access_tokens_url": format!("{api}/app/installations/{}/access_tokens", installation.id),
            "repositories_url": format!("{api}/installation/repositories"),
            "html_url": format!("{}/settings/installations/{}", self.url, installation.id),
            "created_at": stamp(installation.created_at), "updated_at": stamp(installation.created_at),
            "suspended_at": installation.suspended.then(|| stamp(installation.created_at)),
            "suspended_by": null, "single_file_name": null,
        })
    }
}
