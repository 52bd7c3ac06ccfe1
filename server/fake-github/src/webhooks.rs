//! Sends the webhooks, one after the other, and keeps what became of each.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::{
    secrets,
    world::{State, World, stamp},
};

/// How many webhooks may wait.
pub(crate) const QUEUE: usize = 1024;
/// GitHub waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a receiver's answer is kept.
const KEPT_ANSWER: usize = 4096;

/// Whose webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOwner {
    App(u64),
    Repository { repository: String, hook: u64 },
    Organization { organization: u64, hook: u64 },
}

/// A webhook on its way.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub id: u64,
    pub guid: String,
    pub owner: HookOwner,
    pub event: String,
    pub action: Option<String>,
    pub installation: Option<u64>,
    pub repository: Option<u64>,
    pub redelivery: bool,
    pub body: String,
}

/// A webhook that was sent, or not.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: u64,
    /// The same for a delivery and its repetitions: `X-GitHub-Delivery`.
    pub guid: String,
    pub owner: HookOwner,
    pub event: String,
    pub action: Option<String>,
    pub installation: Option<u64>,
    pub repository: Option<u64>,
    pub redelivery: bool,
    /// What was sent, to the byte.
    pub body: String,
    /// Of the answer; 502 where there was none.
    pub status_code: u16,
    pub status: String,
    pub delivered_at: DateTime<Utc>,
    pub duration: f64,
    pub(crate) request_headers: Vec<(String, String)>,
    pub(crate) url: String,
    pub(crate) answer: String,
}

impl Outgoing {
    /// As GitHub records what it could not send.
    pub fn failed(self) -> Delivery {
        self.ended(502, "failed to connect to host", Sent::default())
    }

    fn ended(self, status_code: u16, status: &str, sent: Sent) -> Delivery {
        Delivery {
            id: self.id,
            guid: self.guid,
            owner: self.owner,
            event: self.event,
            action: self.action,
            installation: self.installation,
            repository: self.repository,
            redelivery: self.redelivery,
            body: self.body,
            status_code,
            status: status.to_owned(),
            delivered_at: Utc::now(),
            duration: sent.duration,
            request_headers: sent.headers,
            url: sent.url,
            answer: sent.answer,
        }
    }
}

#[derive(Default)]
struct Sent {
    url: String,
    headers: Vec<(String, String)>,
    duration: f64,
    answer: String,
}

/// Until the world is gone.
pub(crate) async fn send_all(
    world: Arc<World>,
    client: reqwest::Client,
    mut queue: mpsc::Receiver<Outgoing>,
) {
    while let Some(outgoing) = queue.recv().await {
        let destination = world.lock().destination(&outgoing.owner);
        let delivery = match destination {
            Some((url, secret)) => send(&client, outgoing, url, &secret).await,
            None => outgoing.failed(),
        };
        world.lock().deliveries.push(delivery);
        world.unsent.send_modify(|count| *count -= 1);
    }
}

async fn send(client: &reqwest::Client, outgoing: Outgoing, url: String, secret: &str) -> Delivery {
    let (hook, target, kind) = match &outgoing.owner {
        HookOwner::App(id) => (*id, *id, "integration"),
        HookOwner::Repository { hook, .. } => (*hook, outgoing.repository.unwrap_or(0), "repository"),
        HookOwner::Organization { organization, hook } => (*hook, *organization, "organization"),
    };
    let mut headers = vec![
        ("Accept", "*/*".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "GitHub-Hookshot/fake".to_owned()),
        ("X-GitHub-Delivery", outgoing.guid.clone()),
        ("X-GitHub-Event", outgoing.event.clone()),
        ("X-GitHub-Hook-ID", hook.to_string()),
        ("X-GitHub-Hook-Installation-Target-ID", target.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", kind.to_owned()),
    ];
    if !secret.is_empty() {
        headers.push(("X-Hub-Signature-256", secrets::signature(secret, outgoing.body.as_bytes())));
    }
    let started = std::time::Instant::now();
    let mut request = client.post(&url).timeout(PATIENCE).body(outgoing.body.clone());
    for (name, value) in &headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await;
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut sent = Sent { url, headers, duration: started.elapsed().as_secs_f64(), answer: String::new() };
    match answer {
        Ok(answer) => {
            let status = answer.status();
            sent.answer = answer.text().await.unwrap_or_default().chars().take(KEPT_ANSWER).collect();
            outgoing.ended(
                status.as_u16(),
                if status.is_success() { "OK" } else { "Invalid HTTP Response" },
                sent,
            )
        }
        Err(error) if error.is_timeout() => outgoing.ended(504, "timed out", sent),
        Err(_) => outgoing.ended(502, "failed to connect to host", sent),
    }
}

impl Delivery {
    /// As it stands in a list.
    pub(crate) fn render(&self) -> Value {
        json!({
            "id": self.id, "guid": self.guid, "delivered_at": stamp(self.delivered_at), "redelivery": self.redelivery,
            "duration": self.duration, "status": self.status, "status_code": self.status_code,
            "event": self.event, "action": self.action, "installation_id": self.installation,
            "repository_id": self.repository, "throttled_at": null,
        })
    }

    /// With all that went there and back.
    pub(crate) fn render_whole(&self) -> Value {
        let headers: Map<String, Value> =
            self.request_headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut whole = self.render();
        whole["url"] = json!(self.url);
        whole["request"] = json!({
            "headers": headers,
            "payload": serde_json::from_str::<Value>(&self.body).unwrap_or(Value::Null),
        });
        whole["response"] = json!({ "headers": {}, "payload": self.answer });
        whole
    }
}

impl State {
    /// Sends a delivery's bytes again, under the same guid and a number of its own.
    pub fn redeliver(&mut self, delivery: &Delivery) {
        let outgoing = Outgoing {
            id: self.next_id(),
            guid: delivery.guid.clone(),
            owner: delivery.owner.clone(),
            event: delivery.event.clone(),
            action: delivery.action.clone(),
            installation: delivery.installation,
            repository: delivery.repository,
            redelivery: true,
            body: delivery.body.clone(),
        };
        self.post(outgoing);
    }
}
