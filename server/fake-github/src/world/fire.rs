//! Who hears of an event: the apps that are installed there and ask for it, and the webhooks of the repository and
//! its organisation.

use serde_json::{Value, json};

use super::{App, Installation, PlainHook, Sending, State, add};
use crate::{
    secrets,
    webhooks::{HookOwner, Outgoing},
};

/// Something that happened.
pub(crate) struct Event<'a> {
    pub name: &'a str,
    pub action: Option<&'a str>,
    pub repository: Option<&'a str>,
    pub sender: &'a str,
    /// What this event has beyond what each has.
    pub payload: Value,
}

impl State {
    pub fn fire(&mut self, event: Event<'_>) {
        let Some(repository) = event.repository else { return };
        let payload = self.payload(&event);
        let apps: Vec<(App, Installation)> = self
            .installations
            .iter()
            .filter(|found| {
                !found.suspended
                    && found.repositories.iter().any(|name| name.eq_ignore_ascii_case(repository))
            })
            .filter_map(|found| Some((self.app(&found.app.to_string()).ok()?.clone(), found.clone())))
            .filter(|(app, _)| app.events.iter().any(|name| name == event.name))
            .collect();
        for (app, installation) in apps {
            self.send_to_app(&app, Some(installation.id), &event, payload.clone());
        }
        let hooks: Vec<PlainHook> =
            self.repository(repository).map(|found| found.hooks.clone()).unwrap_or_default();
        for hook in hooks.into_iter().filter(|hook| hook.hears(event.name)) {
            self.send_to_hook(repository, &hook, &event, payload.clone());
        }
        let organization = self.repository(repository).and_then(|found| self.organization(&found.owner));
        let Ok((organization, hooks)) = organization.map(|found| (found.id, found.hooks.clone())) else {
            return;
        };
        for hook in hooks.into_iter().filter(|hook| hook.hears(event.name)) {
            let owner = HookOwner::Organization { organization, hook: hook.id };
            self.queue(owner, None, &event, &payload);
        }
    }

    /// An installation's own events reach its app whatever it asked for.
    pub fn fire_installation(&mut self, id: u64, event: Event<'_>) {
        let Ok(installation) = self.installation(id) else { return };
        let Ok(app) = self.app(&installation.app.to_string()).cloned() else { return };
        let mut payload = self.payload(&event);
        payload["installation"] = self.render_installation(installation);
        self.send_to_app(&app, Some(id), &event, payload);
    }

    /// What a webhook hears first.
    pub fn ping_app(&mut self, id: u64, by: &str) {
        let Ok(app) = self.app(&id.to_string()).cloned() else { return };
        let hook = json!({ "type": "App", "id": id, "active": true, "events": app.events, "app_id": id });
        let payload = json!({ "zen": "Keep it logically awesome.", "hook_id": id, "hook": hook });
        let event = Event { name: "ping", action: None, repository: None, sender: by, payload: json!({}) };
        self.send_to_app(&app, None, &event, payload);
    }

    pub fn add_hook(&mut self, repository: &str, hook: PlainHook, by: &str) {
        let Ok(found) = self.repository_mut(repository) else { return };
        found.hooks.push(hook.clone());
        let payload = json!({
            "zen": "Keep it logically awesome.", "hook_id": hook.id,
            "hook": { "type": "Repository", "id": hook.id, "active": hook.active, "events": hook.events },
        });
        let event = Event { name: "ping", action: None, repository: Some(repository), sender: by, payload };
        let payload = self.payload(&event);
        self.send_to_hook(repository, &hook, &event, payload);
    }

    fn payload(&self, event: &Event<'_>) -> Value {
        let mut payload = json!({});
        if let Some(action) = event.action {
            payload["action"] = json!(action);
        }
        add(&mut payload, event.payload.clone());
        if let Some(repository) = event.repository {
            payload["repository"] = self.render_repository(repository);
            if let Ok(owner) = self.repository(repository).and_then(|found| self.organization(&found.owner)) {
                payload["organization"] = json!({ "login": owner.login, "id": owner.id });
            }
        }
        payload["sender"] = self.render_user(event.sender);
        payload
    }

    fn send_to_app(&mut self, app: &App, installation: Option<u64>, event: &Event<'_>, mut payload: Value) {
        if app.webhook_url.is_empty() {
            return;
        }
        if let Some(id) = installation
            && payload.get("installation").is_none()
        {
            payload["installation"] = json!({ "id": id, "node_id": format!("I_{id}") });
        }
        self.queue(HookOwner::App(app.id), installation, event, &payload);
    }

    fn send_to_hook(&mut self, repository: &str, hook: &PlainHook, event: &Event<'_>, payload: Value) {
        let Ok(found) = self.repository(repository) else { return };
        let owner = HookOwner::Repository { repository: found.full_name(), hook: hook.id };
        self.queue(owner, None, event, &payload);
    }

    fn queue(&mut self, owner: HookOwner, installation: Option<u64>, event: &Event<'_>, payload: &Value) {
        let outgoing = Outgoing {
            id: self.next_id(),
            guid: secrets::guid(),
            owner,
            event: event.name.to_owned(),
            action: event.action.map(str::to_owned),
            installation,
            repository: event.repository.and_then(|name| self.repository(name).ok()).map(|found| found.id),
            redelivery: false,
            body: payload.to_string(),
        };
        self.post(outgoing);
    }

    /// Into the queue; what finds no place in it is as lost as when webhooks are paused.
    pub fn post(&mut self, outgoing: Outgoing) {
        if self.sending == Sending::Paused {
            self.deliveries.push(outgoing.failed());
            return;
        }
        self.unsent.send_modify(|count| *count += 1);
        if let Err(error) = self.outbox.try_send(outgoing) {
            self.unsent.send_modify(|count| *count -= 1);
            let (tokio::sync::mpsc::error::TrySendError::Full(outgoing)
            | tokio::sync::mpsc::error::TrySendError::Closed(outgoing)) = error;
            self.deliveries.push(outgoing.failed());
        }
    }

    /// Where an owner's webhooks go to and with which secret they are signed.
    pub fn destination(&self, owner: &HookOwner) -> Option<(String, String)> {
        match owner {
            HookOwner::App(id) => {
                let app = self.app(&id.to_string()).ok()?;
                Some((app.webhook_url.clone(), app.webhook_secret.clone()))
            }
            HookOwner::Repository { repository, hook } => {
                let found = self.repository(repository).ok()?.hooks.iter().find(|found| found.id == *hook)?;
                Some((found.url.clone(), found.secret.clone()))
            }
            HookOwner::Organization { organization, hook } => {
                let owner = self.accounts.values().find(|account| account.id == *organization)?;
                let found = owner.hooks.iter().find(|found| found.id == *hook)?;
                Some((found.url.clone(), found.secret.clone()))
            }
        }
    }
}
