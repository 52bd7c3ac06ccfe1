//! How providers refuse.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why nothing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is wrong.
    Unauthorized,
    /// The quota is used up until this time, in seconds since the epoch.
    QuotaUntil(i64),
    /// There is too much to do.
    Overloaded,
}

impl Refusal {
    pub(crate) fn as_anthropic(self) -> Response {
        let error =
            |kind, message| Json(json!({"type": "error", "error": {"type": kind, "message": message}}));
        match self {
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, error("authentication_error", "invalid x-api-key")).into_response()
            }
            Self::QuotaUntil(time) => {
                let headers = [
                    ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
                    ("anthropic-ratelimit-unified-reset", time.to_string()),
                    ("anthropic-ratelimit-unified-representative-claim", "five_hour".to_owned()),
                    ("x-should-retry", "false".to_owned()),
                ];
                let body = error("rate_limit_error", "This request would exceed your account's rate limit.");
                (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response()
            }
            Self::Overloaded => (overloaded(), error("overloaded_error", "Overloaded")).into_response(),
        }
    }

    pub(crate) fn as_openai(self) -> Response {
        match self {
            Self::Unauthorized => {
                let error = json!({"error": {
                    "message": "Incorrect API key provided: fake.", "type": "invalid_request_error",
                    "param": null, "code": "invalid_api_key",
                }});
                (StatusCode::UNAUTHORIZED, Json(error)).into_response()
            }
            Self::QuotaUntil(time) => {
                let error = json!({"error": {
                    "message": "You exceeded your current quota, please check your plan and billing details.",
                    "type": "usage_limit_reached", "plan_type": "plus", "resets_at": time,
                    "param": null, "code": "insufficient_quota",
                }});
                (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response()
            }
            Self::Overloaded => {
                let error = json!({"error": {
                    "message": "The server is overloaded.", "type": "server_error", "code": "server_is_overloaded",
                }});
                (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response()
            }
        }
    }

    pub(crate) fn as_gemini(self) -> Response {
        let (status, word, message) = match self {
            Self::Unauthorized => (
                StatusCode::BAD_REQUEST,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
            ),
            Self::QuotaUntil(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan and billing details.",
            ),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "The model is overloaded. Please try again later.",
            ),
        };
        let mut details = Vec::new();
        if matches!(self, Self::QuotaUntil(_)) {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
            }));
        }
        let body = json!({"error": {
            "code": status.as_u16(), "message": message, "status": word, "details": details,
        }});
        (status, Json(body)).into_response()
    }
}

/// Anthropic's own status for it, which has no name.
fn overloaded() -> StatusCode {
    StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}
