//! One's own API tokens.

use leptos::{prelude::*, server};

use crate::model::{ApiError, ApiToken, NewToken, TokenId};

#[server(input = server_fn::codec::GetUrl)]
pub async fn tokens() -> Result<Vec<ApiToken>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.tokens(&person).await
}

/// The answer is the only one that holds the secret.
#[server]
pub async fn create_token(name: String) -> Result<NewToken, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let made = backend.create_token(&person, &name).await;
    crate::backend::answer_form::<CreateToken, _>(&made, crate::backend::SETTINGS);
    made
}

#[server]
pub async fn delete_token(id: TokenId) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.delete_token(&person, id).await;
    crate::backend::answer_form::<DeleteToken, _>(&done, crate::backend::SETTINGS);
    done
}
