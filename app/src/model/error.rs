//! What a server function or an API call answers when it does not do what was asked.

use leptos::server_fn::{codec::JsonEncoding, error::ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use server_fn::error::FromServerFnError;

/// Each text says what happened and what to do, and is shown to the person as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ApiError {
    #[error("Please sign in to go on.")]
    SignIn,
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    /// A field does not hold what it should.
    #[error("{message}")]
    Invalid { field: String, message: String },
    /// The thing is in a state in which this cannot be done.
    #[error("{0}")]
    Conflict(String),
    /// Something that Millrace needs is away; nothing was lost, try again.
    #[error("{0}")]
    Unavailable(String),
    #[error("Something went wrong on the server. It was logged; please try again.")]
    Internal,
    /// The request did not reach the server, or the answer did not reach the browser.
    #[error("The server cannot be reached. Check the connection and try again.")]
    Unreachable,
}

impl ApiError {
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Self::Unreachable,
            ServerFnErrorErr::Args(message) | ServerFnErrorErr::MissingArg(message) => {
                Self::invalid("", format!("The form was not understood: {message}"))
            }
            _ => Self::Internal,
        }
    }
}
