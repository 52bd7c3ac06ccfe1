//! The ledger of deliveries, for owners: what webhooks brought, what came of it, and having it worked on anew.

use app::model::{ApiError, Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage, Person};
use chrono::{DateTime, Utc};

use crate::{backend::Server, cursor, db::deliveries, lifecycle::away, operations::owners_only};

/// How many a page has when nobody says, and at most.
const PAGE_ROWS: u32 = 50;
const MOST_PAGE_ROWS: u32 = 200;

impl Server {
    pub async fn deliveries(
        &self,
        person: &Person,
        filter: &DeliveryFilter,
    ) -> Result<DeliveryPage, ApiError> {
        owners_only(person)?;
        if filter.q.as_ref().is_some_and(|words| words.contains('\0')) {
            return Err(ApiError::invalid(
                "q",
                "There is a zero byte in it, and nothing can be found by that.",
            ));
        }
        let cursor = filter.cursor.as_deref().filter(|cursor| !cursor.is_empty());
        let after = cursor.map(|cursor| place(cursor).ok_or_else(cursor::wrong)).transpose()?;
        let rows = filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MOST_PAGE_ROWS);
        let limit = usize::try_from(rows).unwrap_or(usize::MAX);
        let found = deliveries::page(self.lifecycle.db(), filter, after, i64::from(rows) + 1).await;
        let mut found = found.map_err(away)?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(mark);
        Ok(DeliveryPage { deliveries: found, next })
    }

    pub async fn delivery(&self, person: &Person, id: DeliveryId) -> Result<DeliveryDetail, ApiError> {
        owners_only(person)?;
        deliveries::find(self.lifecycle.db(), id).await.map_err(away)?.ok_or_else(|| missing(id))
    }

    /// Has a delivery worked on anew.
    pub async fn replay_delivery(&self, person: &Person, id: DeliveryId) -> Result<(), ApiError> {
        let known = self.delivery(person, id).await?.delivery;
        if !deliveries::replay(self.lifecycle.db(), id).await.map_err(away)? {
            let why = match known.verdict {
                None => "It waits to be worked on already.",
                Some(_) => "Its signature was wrong, so anybody may have sent it. It is not worked on.",
            };
            return Err(ApiError::Conflict(why.to_owned()));
        }
        tracing::info!(delivery.id = %id, user.id = %person.id, "a delivery is worked on anew");
        let queue = self.lifecycle.queue();
        // Without the ring it is found within a second.
        let _ = queue.ring(&queue.keys().deliveries_bell(), b"").await;
        Ok(())
    }
}

fn missing(id: DeliveryId) -> ApiError {
    ApiError::NotFound(format!("There is no delivery {id}. It may have been deleted with others of its age."))
}

/// Where a page ended: when the last one came, in milliseconds, and its id. The order is the same under every filter.
fn mark(delivery: &Delivery) -> String {
    format!("{}.{}", delivery.received_at.0, delivery.id)
}

fn place(cursor: &str) -> Option<(DateTime<Utc>, DeliveryId)> {
    let (time, id) = cursor.split_once('.')?;
    Some((DateTime::from_timestamp_millis(time.parse().ok()?)?, id.parse().ok()?))
}
