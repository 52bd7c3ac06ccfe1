//! A person's API tokens: made, listed, withdrawn.

use app::model::{ApiError, ApiToken, NewToken, Person, TokenId};
use secrecy::ExposeSecret;
use sqlx::PgPool;

use crate::{db::people, lifecycle::away, secret};

const NAME_CHARS: usize = 100;

pub async fn list(db: &PgPool, person: &Person) -> Result<Vec<ApiToken>, ApiError> {
    people::tokens(db, person.id, None).await.map_err(away)
}

/// The answer is the only one that holds the secret.
pub async fn create(db: &PgPool, person: &Person, name: &str) -> Result<NewToken, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("Say what it is for, in at most {NAME_CHARS} characters.");
        return Err(ApiError::invalid("name", message));
    }
    let token = secret::generate(secret::API_TOKEN_PREFIX).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        ApiError::Internal
    })?;
    let id = people::add_token(db, person.id, name, &secret::hash(&token)).await.map_err(away)?;
    let made = people::tokens(db, person.id, Some(id)).await.map_err(away)?;
    let info = made.into_iter().next().ok_or_else(|| no_token(id))?;
    tracing::info!(token.id = %id, user.id = %person.id, "a token was made");
    Ok(NewToken { info, token: token.expose_secret().to_owned() })
}

/// Withdraws a token: from now on it opens nothing.
pub async fn delete(db: &PgPool, person: &Person, id: TokenId) -> Result<(), ApiError> {
    let deleted = people::remove_token(db, person.id, id).await.map_err(away)?;
    deleted.then_some(()).ok_or_else(|| no_token(id))
}

fn no_token(id: TokenId) -> ApiError {
    ApiError::NotFound(format!("You have no token {id}. It may have been withdrawn already."))
}
