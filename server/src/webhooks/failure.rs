//! Why a delivery could not be worked on, and whether that may pass.

use app::model::ApiError;
use chrono::{DateTime, Utc};

use crate::{connection::ConnectionError, github::GitHubError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may pass.
    Later {
        why: String,
        /// When, where somebody said it.
        until: Option<DateTime<Utc>>,
        /// GitHub wants to be asked less.
        is_limit: bool,
    },
    /// It will not pass by itself.
    Final(String),
}

impl Failure {
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), until: None, is_limit: false }
    }
}

impl From<GitHubError> for Failure {
    fn from(error: GitHubError) -> Self {
        let why = error.to_string();
        match error {
            GitHubError::RateLimited { until } => Self::Later { why, until: Some(until), is_limit: true },
            error if error.may_pass() => Self::later(why),
            _ => Self::Final(why),
        }
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::GitHub(error) => error.into(),
            error @ ConnectionError::Database(_) => Self::later(error.to_string()),
            error => Self::Final(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::later(format!("The database failed: {error}"))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Unavailable(_) | ApiError::Unreachable | ApiError::Internal => {
                Self::later(error.to_string())
            }
            error => Self::Final(error.to_string()),
        }
    }
}
