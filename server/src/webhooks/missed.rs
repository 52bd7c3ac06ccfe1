//! Deliveries that did not arrive, because Millrace was down or away: GitHub does not send them again by itself, so it is
//! asked to.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::failure::Failure;
use crate::{
    config::Config,
    connection::Connection,
    db::deliveries,
    github::{Client, GitHubError, HookDelivery, RepositoryName, WebhookOf, WebhookPlace},
    lifecycle::Lifecycle,
};

const EVERY: Duration = Duration::from_secs(300);
/// How soon to see whether Millrace is connected now, which costs nothing.
const SOON: Duration = Duration::from_secs(5);
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// GitHub sends again what is at most three days old.
const FIRST_LOOK: TimeDelta = TimeDelta::days(3);
/// A look begins this long before the last one: what was on its way then has failed meanwhile, or not.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);
/// How often a delivery is asked for. What does not arrive then fails for another reason than that nobody was there.
const TIMES: usize = 5;
/// How many repositories with webhooks of their own are looked at: each costs requests at every look.
const REPOSITORIES: i64 = 50;

/// Looks at what GitHub tried to deliver.
pub(super) struct Watch<'a> {
    lifecycle: &'a Lifecycle,
    connection: &'a Connection,
    config: &'a Config,
    /// Until when each webhook was looked at.
    looked: HashMap<WebhookOf, DateTime<Utc>>,
    /// What was asked for, as long as it can be: a look does not reach back to all tries.
    asked: HashMap<Uuid, Asked>,
}

/// How often a delivery was asked for.
#[derive(Clone, Copy)]
struct Asked {
    times: usize,
    delivered_at: DateTime<Utc>,
}

impl<'a> Watch<'a> {
    pub fn new(lifecycle: &'a Lifecycle, connection: &'a Connection, config: &'a Config) -> Self {
        Self { lifecycle, connection, config, looked: HashMap::new(), asked: HashMap::new() }
    }

    /// Looks at once, and every five minutes until `stop`; sooner where there is no connection yet, or GitHub is away.
    pub async fn run(mut self, stop: &CancellationToken) {
        loop {
            let looked = tokio::select! {
                looked = self.look() => looked,
                () = stop.cancelled() => return,
            };
            let pause = match looked {
                Ok(None) => SOON,
                Ok(Some(asked)) => {
                    if asked > 0 {
                        tracing::info!(asked, "GitHub was asked to deliver again what had not arrived");
                    }
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(?error, "what was missed is looked for later");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Asks for what has not arrived; returns how much that is, or nothing where Millrace is not connected.
    async fn look(&mut self) -> Result<Option<usize>, Failure> {
        let (client, webhooks) = match self.connection.as_app().await? {
            Some(client) => (client, vec![WebhookOf::App]),
            None => {
                let Some(client) = self.connection.with_given_token() else { return Ok(None) };
                let webhooks = self.made_by_hand(&client).await?;
                (client, webhooks)
            }
        };
        let mut asked = 0;
        for webhook in webhooks {
            asked += self.look_at(&client, webhook).await?;
        }
        Ok(Some(asked))
    }

    /// The webhooks of those repositories that have told something, and of their organisations, as far as the token may see
    /// them.
    async fn made_by_hand(&self, client: &Client) -> Result<Vec<WebhookOf>, Failure> {
        let address = format!("{}/webhooks/github", self.config.server.public_address());
        let names = deliveries::repositories(self.lifecycle.db(), REPOSITORIES).await?;
        let repositories: Vec<RepositoryName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        // Whether an owner is an organisation is for GitHub to know.
        let owners: BTreeSet<&str> = repositories.iter().map(RepositoryName::owner).collect();
        let owners = owners.into_iter().map(|login| WebhookPlace::Organization(login.to_owned()));
        let mut webhooks = Vec::new();
        for place in repositories.iter().cloned().map(WebhookPlace::Repository).chain(owners) {
            match client.webhooks_to(&place, &address).await {
                Ok(found) => webhooks.extend(found),
                Err(error) if error.may_pass() => return Err(error.into()),
                Err(error) => tracing::debug!(?place, %error, "the token may not see the webhooks"),
            }
        }
        Ok(webhooks)
    }

    async fn look_at(&mut self, client: &Client, webhook: WebhookOf) -> Result<usize, Failure> {
        let now = Utc::now();
        let since = self.looked.get(&webhook).map_or(now - FIRST_LOOK, |before| *before - OVERLAP);
        let missing = never_arrived(client.hook_deliveries(&webhook, since).await?, &self.asked);
        let ids: Vec<Uuid> = missing.iter().map(|delivery| delivery.guid).collect();
        let known = deliveries::known(self.lifecycle.db(), &ids).await?;
        let mut asked = 0;
        for delivery in missing.iter().filter(|delivery| !known.contains(&delivery.guid)) {
            match client.deliver_again(&webhook, delivery).await {
                Ok(()) => asked += 1,
                // Where nothing more was asked for, the next look begins where this one began.
                Err(error) if error.may_pass() => return Err(error.into()),
                Err(error) => refused(delivery, &error),
            }
            let Asked { times, .. } = self
                .asked
                .entry(delivery.guid)
                .or_insert(Asked { times: 0, delivered_at: delivery.delivered_at });
            *times += 1;
        }
        self.asked.retain(|_, asked| asked.delivered_at > now - FIRST_LOOK);
        self.looked.insert(webhook, now);
        Ok(asked)
    }
}

fn refused(delivery: &HookDelivery, error: &GitHubError) {
    tracing::warn!(delivery.id = %delivery.guid, %error, "GitHub does not deliver again");
}

/// The last try of those that never arrived and were not asked for too often, the oldest first.
fn never_arrived(tries: Vec<HookDelivery>, asked: &HashMap<Uuid, Asked>) -> Vec<HookDelivery> {
    let mut by_id: HashMap<Uuid, Vec<HookDelivery>> = HashMap::new();
    for delivery in tries {
        by_id.entry(delivery.guid).or_default().push(delivery);
    }
    let is_missing = |tries: &Vec<HookDelivery>| {
        let again = tries.iter().filter(|delivery| delivery.redelivery).count();
        let asked =
            tries.first().and_then(|delivery| asked.get(&delivery.guid)).map_or(0, |asked| asked.times);
        tries.iter().all(|delivery| !delivery.has_arrived()) && again.max(asked) < TIMES
    };
    let mut missing: Vec<HookDelivery> =
        by_id.into_values().filter(is_missing).filter_map(|mut tries| tries.pop()).collect();
    missing.sort_by_key(|delivery| (delivery.delivered_at, delivery.id));
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(guid: u128, status_code: u16, redelivery: bool) -> HookDelivery {
        HookDelivery { id: 1, guid: Uuid::from_u128(guid), delivered_at: Utc::now(), redelivery, status_code }
    }

    fn missing(tries: Vec<HookDelivery>, asked: &HashMap<Uuid, Asked>) -> Vec<u128> {
        let mut ids: Vec<u128> =
            never_arrived(tries, asked).iter().map(|delivery| delivery.guid.as_u128()).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn what_no_try_brought_is_asked_for_and_what_failed_again_once_more() {
        let tries = vec![
            delivery(1, 502, false),
            delivery(2, 202, false),
            delivery(3, 0, false),
            delivery(3, 202, true),
            delivery(4, 502, false),
            delivery(4, 502, true),
        ];
        assert_eq!(missing(tries, &HashMap::new()), [1, 4]);
    }

    #[test]
    fn nothing_is_asked_for_again_and_again() {
        let mut tries = vec![delivery(1, 502, false), delivery(2, 502, false), delivery(3, 502, true)];
        tries.extend((0..TIMES).map(|_| delivery(1, 502, true)));
        // The look before has seen other tries of it.
        let asked = HashMap::from([(Uuid::from_u128(3), Asked { times: TIMES, delivered_at: Utc::now() })]);
        assert_eq!(missing(tries, &asked), [2]);
    }
}
