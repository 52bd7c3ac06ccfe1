//! Whether somebody who watches may still do so: a stream goes on long after its request was authenticated.

use std::sync::Arc;

use app::{
    backend::Backend as _,
    model::{ApiError, Person},
};
use axum::{body::Bytes, extract::FromRequestParts, http::request::Parts};
use serde_json::json;
use tower_sessions::{Session, session::Id};

use super::{error::Problem, session};
use crate::{
    backend::Server,
    db::{
        people::{self, SecretHash},
        sessions::PostgresSessions,
    },
    lifecycle::away,
    sse,
};

/// Somebody, and what they came in with.
pub(super) struct Admission {
    server: Arc<Server>,
    pub person: Person,
    by: By,
}

enum By {
    Token(SecretHash),
    Session(Id),
}

impl FromRequestParts<Arc<Server>> for Admission {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let person = server.authenticate(parts).await?;
        let by = match session::token(parts)? {
            Some(hash) => By::Token(hash),
            None => {
                let session = parts.extensions.get::<Session>();
                By::Session(session.and_then(Session::id).ok_or(ApiError::SignIn)?)
            }
        };
        Ok(Self { server: Arc::clone(server), person, by })
    }
}

impl Admission {
    /// Whether they would be let in again, as who they were. Nobody is sent away because Postgres does not answer.
    pub async fn holds(&self) -> bool {
        match self.again().await {
            Ok(now) => now.is_some_and(|now| now.id == self.person.id && now.role == self.person.role),
            Err(error) => {
                tracing::debug!(%error, "whether somebody may still watch is asked later");
                true
            }
        }
    }

    async fn again(&self) -> Result<Option<Person>, ApiError> {
        let db = self.server.lifecycle.db();
        match &self.by {
            By::Token(hash) => match self.server.tokens.find(hash) {
                Some(person) => Ok(Some(person)),
                None => people::by_token(db, hash).await.map_err(away),
            },
            By::Session(id) => {
                // What the request has read of it is kept with the request.
                let session = Session::new(Some(*id), Arc::new(PostgresSessions::new(db.clone())), None);
                match session::person(&session).await? {
                    Some(id) => people::find(db, id).await.map_err(away),
                    None => Ok(None),
                }
            }
        }
    }
}

/// The stream's last words to somebody who is not let in any more.
pub(super) fn withdrawn() -> Bytes {
    sse::event("error", &json!({ "code": "sign_in", "message": ApiError::SignIn.to_string() }))
}
