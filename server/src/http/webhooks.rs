//! `POST /webhooks/github`: a delivery is verified, kept and answered; it is worked on afterwards.

use std::sync::Arc;

use app::model::{ApiError, DeliveryId, Verdict};
use axum::{
    Extension,
    body::Bytes,
    extract::{FromRequest as _, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{address::ClientAddress, error::Problem, limit::Limits};
use crate::{
    backend::Server,
    connection::ConnectionError,
    db::deliveries::{self, NewDelivery},
    github::{
        event::Event,
        signature::{SIGNATURE, is_signed},
    },
    lifecycle::away,
};

/// What GitHub sends at most.
pub(super) const MOST_BYTES: usize = 25 << 20;
/// How many deliveries with a wrong signature are kept within a minute, and how much of each: enough to tell who sent it.
const REFUSED_PER_MINUTE: i64 = 30;
const REFUSED_BYTES: usize = 2 << 10;

/// Takes a delivery of a webhook.
pub(super) async fn github(
    State(server): State<Arc<Server>>,
    Extension(limits): Extension<Arc<Limits>>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let from = request.extensions().get::<ClientAddress>().copied();
    let Ok(body) = Bytes::from_request(request, &()).await else {
        return Err(Problem::webhook_too_large());
    };
    let secrets = server.connection.webhook_secrets().await.map_err(unavailable)?;
    if secrets.is_empty() {
        return Err(ApiError::Unavailable(
            "Millrace is not connected to GitHub, so it knows no secret to check this with. An owner can connect it on \
             the settings page."
                .to_owned(),
        )
        .into());
    }
    let event = header(&headers, "x-github-event").unwrap_or_default();
    let signature = headers.get(SIGNATURE).map(|value| value.as_bytes());
    if !signature.is_some_and(|signature| secrets.iter().any(|secret| is_signed(secret, &body, signature))) {
        if let Some(refusal) = limits.bad_signature(from.as_ref()) {
            return Ok(refusal);
        }
        let detail = match signature {
            None => "It carries no signature. Give the webhook a secret, the same one as Millrace has.",
            Some(_) => "It was signed with another secret, or changed on the way.",
        };
        let cut = &body[..body.len().min(REFUSED_BYTES)];
        keep_refused(
            &server,
            DeliveryId::from_uuid(Uuid::now_v7()),
            event,
            cut,
            Verdict::BadSignature,
            detail,
        )
        .await?;
        deliveries::delete_surplus(server.lifecycle.db()).await.map_err(away)?;
        return Err(Problem::wrong_signature(detail));
    }
    accept(&server, &headers, event, &body).await
}

/// Keeps what GitHub has signed.
async fn accept(server: &Server, headers: &HeaderMap, event: &str, body: &[u8]) -> Result<Response, Problem> {
    let id = header(headers, "x-github-delivery").unwrap_or_default();
    let delivery = Uuid::parse_str(id).ok().map(DeliveryId::from_uuid);
    let parsed = match (event, delivery) {
        ("", _) => Err("The header X-GitHub-Event is missing, so nobody knows what it tells.".to_owned()),
        (_, None) => Err("The header X-GitHub-Delivery holds no id.".to_owned()),
        (_, Some(id)) => {
            Event::parse(event, body).map(|event| (id, event)).map_err(|error| wrong_body(body, &error))
        }
    };
    let (id, parsed) = match parsed {
        Ok(parsed) => parsed,
        Err(detail) => {
            // The same one again is the same row.
            let id = delivery.unwrap_or_else(|| id_of(body));
            keep_refused(server, id, event, body, Verdict::Error, &detail).await?;
            return Err(Problem::wrong_delivery(detail));
        }
    };
    let subject = parsed.subject();
    let new = NewDelivery {
        id,
        event,
        action: parsed.action.as_deref(),
        repository: parsed.repository.as_ref().map(|repository| repository.full_name.as_str()),
        number: parsed.number(),
        sender: parsed.sender.as_ref().map(|sender| sender.login.as_str()),
        subject: subject.as_deref(),
        payload: body,
    };
    let seen = deliveries::add(server.lifecycle.db(), &new).await.map_err(away)?;
    let queue = server.lifecycle.queue();
    // Without the ring it is found within a second.
    let _ = queue.ring(&queue.keys().deliveries_bell(), b"").await;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "id": id, "seen": seen }))).into_response())
}

async fn keep_refused(
    server: &Server,
    id: DeliveryId,
    event: &str,
    payload: &[u8],
    verdict: Verdict,
    detail: &str,
) -> Result<(), Problem> {
    let event = if event.is_empty() { "unknown" } else { &event[..event.floor_char_boundary(100)] };
    let new = NewDelivery {
        id,
        event,
        action: None,
        repository: None,
        number: None,
        sender: None,
        subject: None,
        payload,
    };
    let per_minute = if verdict == Verdict::BadSignature { REFUSED_PER_MINUTE } else { i64::MAX };
    deliveries::add_refused(server.lifecycle.db(), &new, verdict, detail, per_minute).await.map_err(away)?;
    Ok(())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn wrong_body(body: &[u8], error: &serde_json::Error) -> String {
    if str::from_utf8(body).is_err() {
        "The body is not text in UTF-8.".to_owned()
    } else if body.starts_with(b"payload=") {
        "The body is a form. Set the webhook's content type to application/json.".to_owned()
    } else {
        format!("The body is not what GitHub's documentation says: {error}.")
    }
}

/// An id for a delivery that brings none.
fn id_of(body: &[u8]) -> DeliveryId {
    let mut id = [0; 16];
    id.copy_from_slice(&Sha256::digest(body)[..16]);
    DeliveryId::from_uuid(uuid::Builder::from_custom_bytes(id).into_uuid())
}

fn unavailable(error: ConnectionError) -> Problem {
    tracing::warn!(%error, "a delivery could not be checked");
    Problem::from(ApiError::Unavailable(
        "Millrace cannot check deliveries for a moment. Send it again.".to_owned(),
    ))
}
