//! What webhooks brought.

use leptos::{prelude::*, server};

use crate::model::{ApiError, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage};

#[server(input = server_fn::codec::GetUrl)]
pub async fn deliveries(#[server(default)] filter: DeliveryFilter) -> Result<DeliveryPage, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.deliveries(&person, &filter).await
}

#[server(input = server_fn::codec::GetUrl)]
pub async fn delivery(id: DeliveryId) -> Result<DeliveryDetail, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.delivery(&person, id).await
}

/// It may make another job.
#[server]
pub async fn replay_delivery(id: DeliveryId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.replay_delivery(&person, id).await;
    crate::backend::answer_form::<ReplayDelivery, _>(&done, crate::backend::DELIVERIES);
    done
}
