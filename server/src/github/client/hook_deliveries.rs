//! What GitHub tried to deliver to a webhook: the App's, or one of a repository or an organisation.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{Client, GitHubError};
use crate::github::RepositoryName;

/// The most pages that one look reads: far more than three days of a large organisation have.
const PAGES: usize = 500;

/// Whose webhook it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WebhookOf {
    /// The App that asks.
    App,
    /// One that somebody has made by hand, by its number. Only who administers the place may look at it.
    ByHand { place: WebhookPlace, number: i64 },
}

/// Where people make webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WebhookPlace {
    Repository(RepositoryName),
    /// For all of its repositories, by its login.
    Organization(String),
}

impl WebhookPlace {
    fn webhooks(&self) -> String {
        match self {
            Self::Repository(name) => format!("/repos/{name}/hooks"),
            Self::Organization(login) => format!("/orgs/{login}/hooks"),
        }
    }
}

impl WebhookOf {
    fn deliveries(&self) -> String {
        match self {
            Self::App => "/app/hook/deliveries".to_owned(),
            Self::ByHand { place, number } => format!("{}/{number}/deliveries", place.webhooks()),
        }
    }
}

/// A webhook that somebody has made by hand.
#[derive(Deserialize)]
struct Webhook {
    id: i64,
    active: bool,
    config: WebhookConfig,
}

#[derive(Deserialize)]
struct WebhookConfig {
    /// Services of long ago have none.
    #[serde(default)]
    url: String,
}

/// One try of a delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct HookDelivery {
    /// The try's number.
    pub id: i64,
    /// The delivery's id: the same for each try.
    pub guid: Uuid,
    pub delivered_at: DateTime<Utc>,
    /// Whether somebody asked for it.
    #[serde(default)]
    pub redelivery: bool,
    /// What was answered; 0 where nobody did.
    #[serde(default)]
    pub status_code: u16,
}

impl HookDelivery {
    pub fn has_arrived(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

impl Client {
    /// The webhooks that were made there and lead to this address.
    pub async fn webhooks_to(
        &self,
        place: &WebhookPlace,
        address: &str,
    ) -> Result<Vec<WebhookOf>, GitHubError> {
        let all: Vec<Webhook> = self.get_all(&place.webhooks()).await?;
        let leads_here = |webhook: &Webhook| webhook.active && webhook.config.url == address;
        let of = |webhook: Webhook| WebhookOf::ByHand { place: place.clone(), number: webhook.id };
        Ok(all.into_iter().filter(leads_here).map(of).collect())
    }

    /// What was tried since then, the latest first.
    pub async fn hook_deliveries(
        &self,
        of: &WebhookOf,
        since: DateTime<Utc>,
    ) -> Result<Vec<HookDelivery>, GitHubError> {
        let mut path = Some(format!("{}?per_page=100", of.deliveries()));
        let mut all: Vec<HookDelivery> = Vec::new();
        for _ in 0..PAGES {
            let Some(next) = path else { return Ok(all) };
            let (page, after) = self.get_page::<HookDelivery>(&next).await?;
            let is_last = page.iter().any(|delivery| delivery.delivered_at < since);
            all.extend(page.into_iter().filter(|delivery| delivery.delivered_at >= since));
            path = after.filter(|_| !is_last);
        }
        tracing::warn!(webhook = ?of, pages = PAGES, "GitHub has more deliveries than are looked at; the oldest are left out");
        Ok(all)
    }

    /// Has it delivered again.
    pub async fn deliver_again(&self, of: &WebhookOf, delivery: &HookDelivery) -> Result<(), GitHubError> {
        let path = format!("{}/{}/attempts", of.deliveries(), delivery.id);
        self.post::<serde::de::IgnoredAny>(&path, &serde_json::json!({})).await.map(drop)
    }
}
