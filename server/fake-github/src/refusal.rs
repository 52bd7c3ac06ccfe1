//! An error as GitHub's REST API shows it: `{message, documentation_url, status}` and, for a 422, `errors`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// Why the API does not do what it was asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    errors: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: None, headers: Vec::new() }
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// For an installation's token that lacks a permission.
    pub fn not_for_integration() -> Self {
        Self::forbidden("Resource not accessible by integration")
    }

    /// A 422 whose message says all.
    pub fn unprocessable(message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// A 422 about one field, with a code such as `missing_field`.
    pub fn field(resource: &str, field: &str, code: &str) -> Self {
        Self::invalid(json!([{ "resource": resource, "field": field, "code": code }]))
    }

    /// A 422 with a sentence of GitHub's own about a resource.
    pub fn custom(resource: &str, message: &str) -> Self {
        Self::invalid(json!([{ "resource": resource, "code": "custom", "message": message }]))
    }

    pub fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    fn invalid(errors: Value) -> Self {
        Self { errors: Some(errors), ..Self::unprocessable("Validation Failed") }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.as_u16().to_string(),
        });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        let mut response = (self.status, Json(body)).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
