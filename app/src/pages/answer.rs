//! What a page says beside its content: its status, and what was wrong with the form that led to it.

use http::StatusCode;
use leptos_router::params::ParamsMap;
use server_fn::{ServerFn, error::ServerFnUrlError};

use crate::{backend, model::ApiError};

/// Answers with the status that fits what went wrong.
pub fn set_status(error: &ApiError) {
    backend::set_status(match error {
        ApiError::SignIn => StatusCode::UNAUTHORIZED,
        ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
        ApiError::NotFound(_) => StatusCode::NOT_FOUND,
        ApiError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ApiError::Conflict(_) => StatusCode::CONFLICT,
        ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        ApiError::Internal | ApiError::Unreachable => StatusCode::INTERNAL_SERVER_ERROR,
    });
}

/// Why the form of this server function was refused, when a browser without the WASM was sent back here.
pub fn refusal<Function: ServerFn<Error = ApiError>>(query: &ParamsMap) -> Option<ApiError> {
    let path = query.get_str("__path")?;
    let error = query.get_str("__err")?;
    (path == Function::PATH).then(|| ServerFnUrlError::<ApiError>::decode_err(error))
}
