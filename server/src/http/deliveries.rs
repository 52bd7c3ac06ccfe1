//! `/api/deliveries`: what webhooks brought, and what came of it.

use std::sync::Arc;

use app::model::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage};
use axum::{Json, extract::State};

use super::{
    openapi::Refused,
    rest::{Answer, Caller, Id, Parameters},
};
use crate::backend::Server;

/// List deliveries, the latest first.
///
/// For owners.
#[utoipa::path(
    get,
    path = "/api/deliveries",
    tag = "deliveries",
    params(DeliveryFilter),
    responses((status = 200, description = "A page", body = DeliveryPage), Refused)
)]
pub(super) async fn list_deliveries(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Parameters(filter): Parameters<DeliveryFilter>,
) -> Answer<DeliveryPage> {
    Ok(Json(server.deliveries(&person, &filter).await?))
}

/// Get a delivery with what was delivered.
///
/// For owners.
#[utoipa::path(
    get,
    path = "/api/deliveries/{id}",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "GitHub's id of the delivery")),
    responses((status = 200, description = "The delivery", body = DeliveryDetail), Refused)
)]
pub(super) async fn get_delivery(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<DeliveryId>,
) -> Answer<DeliveryDetail> {
    Ok(Json(server.delivery(&person, id).await?))
}

/// Work on a delivery anew.
///
/// It may make another job. For owners. Answers with the delivery, which waits then.
#[utoipa::path(
    post,
    path = "/api/deliveries/{id}/replay",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "GitHub's id of the delivery")),
    responses((status = 200, description = "The delivery", body = Delivery), Refused)
)]
pub(super) async fn replay_delivery(
    State(server): State<Arc<Server>>,
    Caller(person): Caller,
    Id(id): Id<DeliveryId>,
) -> Answer<Delivery> {
    server.replay_delivery(&person, id).await?;
    Ok(Json(server.delivery(&person, id).await?.delivery))
}
