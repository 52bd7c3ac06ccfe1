//! What was wrong with the form that led to a page.

use leptos_router::params::ParamsMap;
use server_fn::{ServerFn, error::ServerFnUrlError};

use crate::model::ApiError;

/// Why the form of this server function was refused, when a browser without the WASM was sent back here.
pub fn refusal<Function: ServerFn<Error = ApiError>>(query: &ParamsMap) -> Option<ApiError> {
    let path = query.get_str("__path")?;
    let error = query.get_str("__err")?;
    (path == Function::PATH).then(|| ServerFnUrlError::<ApiError>::decode_err(error))
}
