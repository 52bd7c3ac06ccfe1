//! Who asks, by the token that came along, and what they may do.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::{
    limits,
    refusal::Refusal,
    secrets::APP_PUBLIC_KEY,
    world::{Access, App, InstallationToken, Outcome, Role, State, Token, World},
};

/// How long a token that an app signs itself may be good for; its clock may be a minute off.
const LONGEST_JWT: i64 = 10 * 60 + 60;

pub(super) enum Caller {
    Anonymous,
    User { login: String, scopes: Vec<String> },
    Installation(InstallationToken),
    App(u64),
}

/// What a request wants to do with a repository.
#[derive(Clone, Copy)]
pub(super) struct Need {
    /// Any of these is enough for an installation.
    permissions: &'static [&'static str],
    access: Access,
    /// What a person has to be.
    role: Role,
}

impl Need {
    pub const fn read(permissions: &'static [&'static str]) -> Self {
        Self { permissions, access: Access::Read, role: Role::Read }
    }

    pub const fn write(permissions: &'static [&'static str], role: Role) -> Self {
        Self { permissions, access: Access::Write, role }
    }
}

impl Caller {
    /// Under whose name things are done.
    pub fn login(&self, state: &State) -> Outcome<String> {
        match self {
            Self::Anonymous => Err(Refusal::unauthorized("Requires authentication")),
            Self::User { login, .. } => Ok(login.clone()),
            Self::Installation(token) => state.bot(token.installation),
            Self::App(_) => Err(Refusal::not_for_integration()),
        }
    }

    pub fn user(&self) -> Outcome<&str> {
        match self {
            Self::User { login, .. } => Ok(login),
            Self::Anonymous => Err(Refusal::unauthorized("Requires authentication")),
            Self::Installation(_) | Self::App(_) => Err(Refusal::not_for_integration()),
        }
    }

    pub fn app<'a>(&self, state: &'a State) -> Outcome<&'a App> {
        match self {
            Self::App(id) => state.app(&id.to_string()),
            _ => Err(Refusal::unauthorized("A JSON web token could not be decoded")),
        }
    }

    /// What this caller is in a repository, as far as it is a person.
    pub fn role(&self, state: &State, repository: &str) -> Option<Role> {
        match self {
            Self::User { login, .. } => Some(state.role(repository, login)),
            _ => None,
        }
    }

    /// Refuses unless this may be done there: with 404 for what cannot be seen at all.
    pub fn may(&self, state: &State, repository: &str, need: Need) -> Outcome<()> {
        let found = state.repository(repository)?;
        match self {
            Self::Anonymous if found.private => Err(Refusal::not_found()),
            Self::Anonymous if need.access == Access::Read => Ok(()),
            Self::Anonymous => Err(Refusal::unauthorized("Requires authentication")),
            Self::App(_) => Err(Refusal::not_for_integration()),
            Self::User { login, .. } => match state.role(repository, login) {
                Role::None => Err(Refusal::not_found()),
                role if role >= need.role => Ok(()),
                _ if need.role == Role::Admin => {
                    Err(Refusal::forbidden("Must have admin rights to Repository."))
                }
                _ => Err(Refusal::forbidden("Must have push access to repository.")),
            },
            Self::Installation(token) => {
                let installed = token.repositories.iter().any(|name| name.eq_ignore_ascii_case(repository));
                let granted = need.permissions.iter().any(|permission| token.may(permission, need.access));
                match (installed, found.private, need.access) {
                    (false, true, _) => Err(Refusal::not_found()),
                    (_, false, Access::Read) => Ok(()),
                    (true, ..) if granted => Ok(()),
                    _ => Err(Refusal::not_for_integration()),
                }
            }
        }
    }
}

impl FromRequestParts<Arc<World>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Refusal> {
        let text = limits::token(&parts.headers);
        if text.is_empty() {
            return Ok(Self::Anonymous);
        }
        let state = world.lock();
        if text.matches('.').count() == 2 {
            return app_of(&state, text).map(Self::App);
        }
        let bad = || Refusal::unauthorized("Bad credentials");
        match state.tokens.get(text).ok_or_else(bad)? {
            Token::User { login, scopes } => Ok(Self::User { login: login.clone(), scopes: scopes.clone() }),
            Token::Installation(token) if token.expires_at <= Utc::now() => Err(bad()),
            Token::Installation(token) if state.installation(token.installation)?.suspended => {
                Err(Refusal::forbidden("This installation has been suspended"))
            }
            Token::Installation(token) => Ok(Self::Installation(token.clone())),
        }
    }
}

#[derive(serde::Deserialize)]
struct Claims {
    iat: Option<i64>,
    exp: i64,
    /// A number or the client's id.
    iss: serde_json::Value,
}

/// The app that signed this.
fn app_of(state: &State, token: &str) -> Outcome<u64> {
    let undecodable = || Refusal::unauthorized("A JSON web token could not be decoded");
    let key = DecodingKey::from_rsa_pem(APP_PUBLIC_KEY.as_bytes()).map_err(|_| undecodable())?;
    let mut validation = Validation::new(Algorithm::RS256);
    // Looked at below, where each mistake has a sentence of its own.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims: Claims = jsonwebtoken::decode(token, &key, &validation).map_err(|_| undecodable())?.claims;
    let now = Utc::now().timestamp();
    if claims.exp <= now {
        return Err(Refusal::unauthorized(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        ));
    }
    if claims.exp > now + LONGEST_JWT {
        return Err(Refusal::unauthorized("'Expiration time' claim ('exp') is too far in the future"));
    }
    if claims.iat.is_none_or(|issued| issued > now + 60) {
        return Err(Refusal::unauthorized(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        ));
    }
    let issuer = claims.iss.as_str().map_or_else(|| claims.iss.to_string(), str::to_owned);
    let found = state.app(&issuer).ok().filter(|app| app.slug != issuer);
    found
        .map(|app| app.id)
        .ok_or_else(|| Refusal::new(axum::http::StatusCode::NOT_FOUND, "Integration not found"))
}
