//! Tables `users`, `sign_in_links` and `api_tokens`: who may come in, and with what.

use app::model::{ApiToken, Person, Role, TokenId, UserId};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};
use uuid::Uuid;

use super::{timestamp, unreadable};

/// SHA-256 of a secret; the secret itself is never stored.
pub type SecretHash = [u8; 32];

fn person(id: Uuid, login: String, role: &str) -> Result<Person> {
    Ok(Person { id: UserId::from_uuid(id), login, role: role.parse().map_err(unreadable)? })
}

/// Nobody where this person may not, or no longer, come in.
pub async fn find(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<Person>> {
    sqlx::query!("SELECT id, login, role FROM users WHERE id = $1 AND is_admitted", id.as_uuid())
        .fetch_optional(db)
        .await?
        .map(|row| person(row.id, row.login, &row.role))
        .transpose()
}

/// Whoever this is, whether they may come in or are only known because they ask for jobs on GitHub.
pub async fn known(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<Person>> {
    sqlx::query!("SELECT id, login, role FROM users WHERE id = $1", id.as_uuid())
        .fetch_optional(db)
        .await?
        .map(|row| person(row.id, row.login, &row.role))
        .transpose()
}

/// The person with this login, made with `role` where there is none yet; an existing role stays. For whoever has the machine:
/// the person may come in from now on.
pub async fn find_or_create(db: impl PgExecutor<'_>, login: &str, role: Role) -> Result<Person> {
    let id = UserId::new();
    let row = sqlx::query!(
        "INSERT INTO users (id, login, role) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT users_login DO UPDATE SET is_admitted = true, removed_at = NULL
         RETURNING id, login, role",
        id.as_uuid(),
        login,
        role.as_str(),
    )
    .fetch_one(db)
    .await?;
    person(row.id, row.login, &row.role)
}

/// The person behind a GitHub account, made where there is none yet; that alone lets nobody in. A login that somebody else
/// has here already gets the account's number: it does not become theirs.
pub async fn of_github(db: impl PgExecutor<'_>, github_id: i64, login: &str) -> Result<Person> {
    let id = UserId::new();
    let row = sqlx::query!(
        "WITH one_at_a_time AS MATERIALIZED (
             SELECT pg_advisory_xact_lock(hashtextextended('github account ' || $3::bigint, 0))
         )
         INSERT INTO users (id, login, role, is_admitted, github_id, github_login)
         SELECT $1, CASE WHEN EXISTS (SELECT FROM users WHERE login = $2 AND github_id IS DISTINCT FROM $3)
             THEN $2 || '#' || $3 ELSE $2 END, 'member', false, $3, $2
         FROM one_at_a_time
         ON CONFLICT ON CONSTRAINT users_github_id DO UPDATE SET
             github_login = excluded.github_login,
             login = CASE WHEN users.login = users.github_login THEN excluded.login ELSE users.login END
         RETURNING id, login, role",
        id.as_uuid(),
        login,
        github_id,
    )
    .fetch_one(db)
    .await?;
    person(row.id, row.login, &row.role)
}

pub async fn add_sign_in_link(
    db: impl PgExecutor<'_>,
    user: UserId,
    token: &SecretHash,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO sign_in_links (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
        &token[..],
        user.as_uuid(),
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Why a sign-in link does not work, or whom it signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkUse {
    SignsIn(UserId),
    Used,
    Expired,
    Unknown,
}

/// Uses a sign-in link up: of two browsers with the same link, one comes in.
pub async fn use_sign_in_link(db: &sqlx::PgPool, token: &SecretHash) -> Result<LinkUse> {
    let user = sqlx::query_scalar!(
        "UPDATE sign_in_links SET used_at = now()
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
             AND EXISTS (SELECT FROM users WHERE id = user_id AND is_admitted)
         RETURNING user_id",
        &token[..],
    )
    .fetch_optional(db)
    .await?;
    if let Some(user) = user {
        return Ok(LinkUse::SignsIn(UserId::from_uuid(user)));
    }
    let used = sqlx::query_scalar!(
        r#"SELECT used_at IS NOT NULL AS "used!" FROM sign_in_links WHERE token_hash = $1"#,
        &token[..],
    )
    .fetch_optional(db)
    .await?;
    Ok(match used {
        Some(true) => LinkUse::Used,
        Some(false) => LinkUse::Expired,
        None => LinkUse::Unknown,
    })
}

pub async fn add_token(
    db: impl PgExecutor<'_>,
    user: UserId,
    name: &str,
    token: &SecretHash,
) -> Result<TokenId> {
    let id = TokenId::new();
    sqlx::query!(
        "INSERT INTO api_tokens (id, user_id, name, token_hash) VALUES ($1, $2, $3, $4)",
        id.as_uuid(),
        user.as_uuid(),
        name,
        &token[..],
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// A person's tokens, the latest first, or the one with this id.
pub async fn tokens(db: impl PgExecutor<'_>, user: UserId, id: Option<TokenId>) -> Result<Vec<ApiToken>> {
    let rows = sqlx::query!(
        "SELECT id, name, created_at, last_used_at FROM api_tokens WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2)
         ORDER BY id DESC",
        user.as_uuid(),
        id.as_ref().map(TokenId::as_uuid),
    )
    .fetch_all(db)
    .await?;
    let token = rows.into_iter().map(|row| ApiToken {
        id: TokenId::from_uuid(row.id),
        name: row.name,
        created_at: timestamp(row.created_at),
        last_used_at: row.last_used_at.map(timestamp),
    });
    Ok(token.collect())
}

/// `false`: this person has no such token.
pub async fn remove_token(db: impl PgExecutor<'_>, user: UserId, id: TokenId) -> Result<bool> {
    let removed =
        sqlx::query!("DELETE FROM api_tokens WHERE id = $1 AND user_id = $2", id.as_uuid(), user.as_uuid())
            .execute(db)
            .await?;
    Ok(removed.rows_affected() > 0)
}

pub async fn remove_token_by_hash(db: impl PgExecutor<'_>, token: &SecretHash) -> Result<()> {
    sqlx::query!("DELETE FROM api_tokens WHERE token_hash = $1", &token[..]).execute(db).await?;
    Ok(())
}

/// The person in whose name a token acts. Notes the use once a minute at most, so that a busy token writes little.
pub async fn by_token(db: impl PgExecutor<'_>, token: &SecretHash) -> Result<Option<Person>> {
    sqlx::query!(
        "WITH used AS (
             UPDATE api_tokens SET last_used_at = now()
             WHERE token_hash = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
         )
         SELECT users.id, login, role FROM users JOIN api_tokens ON api_tokens.user_id = users.id
         WHERE token_hash = $1 AND is_admitted",
        &token[..],
    )
    .fetch_optional(db)
    .await?
    .map(|row| person(row.id, row.login, &row.role))
    .transpose()
}
