//! Errors on their way out: the one place that knows their status, as problem+json (RFC 9457).

use std::any::Any;

use app::model::ApiError;
use axum::{
    Extension, Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::readable::Detail;

/// An error as the API tells it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// A word that programs can rely on.
    code: &'static str,
    detail: String,
    /// The field of the request that is wrong.
    field: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn foreign_origin() -> Self {
        let detail =
            "This request comes from another site, or does not say where from. Scripts use an API token.";
        Self::new(StatusCode::FORBIDDEN, "foreign_origin", detail)
    }

    pub(super) fn wrong_json(status: StatusCode, detail: String) -> Self {
        Self::new(status, "invalid_json", detail)
    }

    pub(super) fn too_large() -> Self {
        let detail = "The request is larger than this installation takes. The limit is `max_body_bytes` under [server] in \
                      Leptos.toml.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(super) fn webhook_too_large() -> Self {
        let detail = "The delivery is larger than 25 MB, which is more than GitHub sends.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    pub(super) fn wrong_signature(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "bad_signature", detail)
    }

    pub(super) fn wrong_delivery(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_delivery", detail)
    }

    /// `limit` is the name of the limit, as the `RateLimit` header has it.
    pub(super) fn too_many(limit: &'static str, seconds: u64) -> Self {
        let what = match limit {
            "failed-sign-ins" => "Too many attempts from your address to prove who it is have failed.",
            "bad-signatures" => "Too many deliveries from your address were signed wrongly.",
            _ => "That was too many requests within a minute.",
        };
        let wait = if seconds == 1 { "a second".to_owned() } else { format!("{seconds} seconds") };
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", format!("{what} Try again in {wait}."))
    }

    pub(super) fn wrong_method() -> Self {
        let detail = "This address does not take that method. The `Allow` header names those that it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
    }

    pub(super) fn wrong_query(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
    }

    pub(super) fn no_such_route(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is nothing at {path}."))
    }
}

/// The answer when a handler panicked: a bug, which costs this one request.
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("without a message"), "a request panicked");
    Problem::from(ApiError::Internal).into_response()
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let detail = error.to_string();
        match error {
            ApiError::SignIn => Self::new(
                StatusCode::UNAUTHORIZED,
                "sign_in",
                "Send a valid API token: `Authorization: Bearer mr_…`. `millrace token create` makes one.",
            ),
            ApiError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            ApiError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            ApiError::Invalid { field, message } => {
                Self { field: Some(field), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message) }
            }
            ApiError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            ApiError::Unavailable(_) | ApiError::Unreachable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            }
            ApiError::Internal => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail),
        }
    }
}

/// What went wrong, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What happened and what to do, for people.
    detail: String,
    /// A word that programs can rely on.
    code: &'static str,
    /// The field of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let detail = Detail(self.detail.clone());
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            field: self.field,
        };
        let mut response = (self.status, Extension(detail), Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
