//! What a request brings: its JSON, and the place that its path names.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::refusal::Refusal;

/// A body in JSON, with GitHub's own errors; none is an empty object.
pub(super) struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let problem = || Refusal::new(StatusCode::BAD_REQUEST, "Problems parsing JSON");
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|_| problem())?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| problem())?;
        serde_json::from_value(value)
            .map(Self)
            .map_err(|error| Refusal::unprocessable(&format!("Invalid request.\n\n{error}")))
    }
}

/// The repository, and the number or id within it if the path has one.
pub(super) struct Spot {
    pub repository: String,
    pub number: u64,
}

impl<S: Send + Sync> FromRequestParts<S> for Spot {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Segments {
            owner: String,
            name: String,
            number: Option<String>,
            id: Option<String>,
        }
        let Path(segments) =
            Path::<Segments>::from_request_parts(parts, state).await.map_err(|_| Refusal::not_found())?;
        let number = match segments.number.or(segments.id) {
            Some(number) => number.parse().map_err(|_| Refusal::not_found())?,
            None => 0,
        };
        Ok(Self { repository: format!("{}/{}", segments.owner, segments.name), number })
    }
}
