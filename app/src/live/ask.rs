//! Asking the server. The address is a server function's that reads, or one of the API's; its answer is JSON.

use gloo_net::http::Request;

use crate::model::ApiError;

pub async fn ask(address: &str) -> Result<String, ApiError> {
    let answer = Request::get(address).send().await.map_err(|_| ApiError::Unreachable)?;
    let text = answer.text().await.map_err(|_| ApiError::Unreachable)?;
    if answer.ok() { Ok(text) } else { Err(serde_json::from_str(&text).unwrap_or(ApiError::Internal)) }
}
