//! What GitHub tried to deliver to a webhook: the App's, or one of a repository or an organisation.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{Client, GitHubError};
use crate::github::RepositoryName;

/// The most pages that one look reads.
const PAGES: usize = 20;

/// Whose webhook it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WebhookOf {
    /// The App that asks.
    App,
    /// One that somebody has made by hand, by its number. Only an administrator of the repository may look at it.
    Repository { name: RepositoryName, number: i64 },
    /// The same for all repositories of an organisation. Only its owners may look at it.
    Organization { login: String, number: i64 },
}

impl WebhookOf {
    fn deliveries(&self) -> String {
        match self {
            Self::App => "/app/hook/deliveries".to_owned(),
            Self::Repository { name, number } => format!("/repos/{name}/hooks/{number}/deliveries"),
            Self::Organization { login, number } => format!("/orgs/{login}/hooks/{number}/deliveries"),
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
    /// The webhooks of a repository that lead to this address.
    pub async fn webhooks_to(
        &self,
        repository: &RepositoryName,
        address: &str,
    ) -> Result<Vec<WebhookOf>, GitHubError> {
        let numbers = self.webhooks_under(&format!("/repos/{repository}"), address).await?;
        let of = |number| WebhookOf::Repository { name: repository.clone(), number };
        Ok(numbers.into_iter().map(of).collect())
    }

    /// The same for an organisation.
    pub async fn organization_webhooks_to(
        &self,
        login: &str,
        address: &str,
    ) -> Result<Vec<WebhookOf>, GitHubError> {
        let numbers = self.webhooks_under(&format!("/orgs/{login}"), address).await?;
        let of = |number| WebhookOf::Organization { login: login.to_owned(), number };
        Ok(numbers.into_iter().map(of).collect())
    }

    async fn webhooks_under(&self, path: &str, address: &str) -> Result<Vec<i64>, GitHubError> {
        let all: Vec<Webhook> = self.get_all(&format!("{path}/hooks")).await?;
        let leads_here = |webhook: &Webhook| webhook.active && webhook.config.url == address;
        Ok(all.into_iter().filter(leads_here).map(|webhook| webhook.id).collect())
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
            let Some(next) = path else { break };
            let (page, after) = self.get_page::<HookDelivery>(&next).await?;
            let is_last = page.iter().any(|delivery| delivery.delivered_at < since);
            all.extend(page.into_iter().filter(|delivery| delivery.delivered_at >= since));
            path = after.filter(|_| !is_last);
        }
        Ok(all)
    }

    /// Has it delivered again.
    pub async fn deliver_again(&self, of: &WebhookOf, delivery: &HookDelivery) -> Result<(), GitHubError> {
        let path = format!("{}/{}/attempts", of.deliveries(), delivery.id);
        self.post::<serde::de::IgnoredAny>(&path, &serde_json::json!({})).await.map(drop)
    }
}
