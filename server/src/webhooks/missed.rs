//! Deliveries that did not arrive, because Millrace was down or away: GitHub does not send them again by itself, so it is
//! asked to.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::failure::Failure;
use crate::{connection::Connection, db::deliveries, github::HookDelivery, lifecycle::Lifecycle};

const EVERY: Duration = Duration::from_secs(300);
/// How soon to see whether an App is there now, which costs nothing.
const SOON: Duration = Duration::from_secs(5);
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// GitHub sends again what is at most three days old.
const FIRST_LOOK: TimeDelta = TimeDelta::days(3);
/// A look begins this long before the last one: what was on its way then has failed meanwhile, or not.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);

/// Looks at once, and every five minutes until `stop`; sooner where there is no App yet, or GitHub is away.
pub(super) async fn watch(lifecycle: &Lifecycle, connection: &Connection, stop: &CancellationToken) {
    let mut since = Utc::now() - FIRST_LOOK;
    loop {
        let now = Utc::now();
        let looked = tokio::select! {
            looked = look(lifecycle, connection, since) => looked,
            () = stop.cancelled() => return,
        };
        let pause = match looked {
            // Where nothing was seen, the next look begins where this one began.
            Ok(None) => SOON,
            Ok(Some(asked)) => {
                since = now - OVERLAP;
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

/// Asks for what has not arrived since then; returns how much that is, or nothing without an App.
async fn look(
    lifecycle: &Lifecycle,
    connection: &Connection,
    since: DateTime<Utc>,
) -> Result<Option<usize>, Failure> {
    let Some(client) = connection.as_app().await? else { return Ok(None) };
    let failed = never_arrived(client.hook_deliveries(since).await?);
    if failed.is_empty() {
        return Ok(Some(0));
    }
    let ids: Vec<Uuid> = failed.iter().map(|delivery| delivery.guid).collect();
    let known = deliveries::known(lifecycle.db(), &ids).await?;
    let missed: Vec<&HookDelivery> =
        failed.iter().filter(|delivery| !known.contains(&delivery.guid)).collect();
    for delivery in &missed {
        client.deliver_again(delivery).await?;
    }
    Ok(Some(missed.len()))
}

/// Those of which no try arrived and which nobody asked for again, the oldest first: once is enough, because what fails then
/// fails for another reason than that nobody was there.
fn never_arrived(tries: Vec<HookDelivery>) -> Vec<HookDelivery> {
    let mut by_id: HashMap<Uuid, Vec<HookDelivery>> = HashMap::new();
    for delivery in tries {
        by_id.entry(delivery.guid).or_default().push(delivery);
    }
    let is_missed = |tries: &Vec<HookDelivery>| {
        tries.iter().all(|delivery| !delivery.has_arrived() && !delivery.redelivery)
    };
    let mut missed: Vec<HookDelivery> =
        by_id.into_values().filter(is_missed).filter_map(|mut tries| tries.pop()).collect();
    missed.sort_by_key(|delivery| (delivery.delivered_at, delivery.id));
    missed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(guid: u128, status_code: u16, redelivery: bool) -> HookDelivery {
        HookDelivery { id: 1, guid: Uuid::from_u128(guid), delivered_at: Utc::now(), redelivery, status_code }
    }

    #[test]
    fn only_what_failed_once_is_asked_for() {
        let tries = vec![
            delivery(1, 502, false),
            delivery(2, 202, false),
            delivery(3, 0, false),
            delivery(3, 202, true),
            delivery(4, 502, false),
            delivery(4, 502, true),
        ];
        let ids: Vec<u128> = never_arrived(tries).iter().map(|delivery| delivery.guid.as_u128()).collect();
        assert_eq!(ids, [1]);
    }
}
