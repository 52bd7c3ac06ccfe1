//! What GitHub tried to deliver to the App's webhook.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{Client, GitHubError};

/// The most pages that one look reads.
const PAGES: usize = 20;

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
    /// What was tried since then, the latest first.
    pub async fn hook_deliveries(&self, since: DateTime<Utc>) -> Result<Vec<HookDelivery>, GitHubError> {
        let mut path = Some("/app/hook/deliveries?per_page=100".to_owned());
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
    pub async fn deliver_again(&self, delivery: &HookDelivery) -> Result<(), GitHubError> {
        let path = format!("/app/hook/deliveries/{}/attempts", delivery.id);
        self.post::<serde::de::IgnoredAny>(&path, &serde_json::json!({})).await.map(drop)
    }
}
