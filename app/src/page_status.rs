//! The HTTP status of the page that is rendered. In the browser there is none to set.

use crate::model::ApiError;

/// Answers with the status that fits what went wrong.
pub fn set_status(error: &ApiError) {
    answer::status(error);
}

pub fn set_not_found() {
    set_status(&ApiError::NotFound(String::new()));
}

#[cfg(feature = "ssr")]
mod answer {
    use http::StatusCode;

    use crate::{backend, model::ApiError};

    pub fn status(error: &ApiError) {
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
}

#[cfg(not(feature = "ssr"))]
mod answer {
    use crate::model::ApiError;

    pub fn status(_: &ApiError) {}
}
