//! Table `sessions`: browsers that are signed in. The store behind `tower-sessions`; a cookie's value is kept as its
//! SHA-256 only, so that a copy of the database signs nobody in.

use app::model::{SessionId, SignedIn, UserId};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{self, Error},
};

use super::timestamp;

#[derive(Clone, Debug)]
pub struct PostgresSessions {
    pool: PgPool,
}

impl PostgresSessions {
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

fn hash(id: &Id) -> Vec<u8> {
    Sha256::digest(id.0.to_be_bytes()).to_vec()
}

fn backend(error: sqlx::Error) -> Error {
    Error::Backend(error.to_string())
}

/// The entries of a session that columns are made of: whose it is, and the browser's own word for itself.
pub const PERSON: &str = "person";
pub const USER_AGENT: &str = "user_agent";

fn encoded(record: &Record) -> session_store::Result<(serde_json::Value, Option<DateTime<Utc>>)> {
    let data = serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    Ok((data, DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0)))
}

#[async_trait]
impl SessionStore for PostgresSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let (data, expires_at) = encoded(record)?;
        sqlx::query!(
            "INSERT INTO sessions (id_hash, data, expires_at, user_id, user_agent)
             VALUES ($1, $2, coalesce($3, now()), ($2::jsonb ->> $4::text)::uuid, $2 ->> $5::text)",
            hash(&record.id),
            data,
            expires_at,
            PERSON,
            USER_AGENT,
        )
        .execute(&self.pool)
        .await
        .map_err(backend)?;
        Ok(())
    }

    /// One that was ended meanwhile stays ended.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (data, expires_at) = encoded(record)?;
        sqlx::query!(
            "UPDATE sessions SET data = $2, expires_at = coalesce($3, now()), user_id = ($2::jsonb ->> $4::text)::uuid,
                 user_agent = $2 ->> $5::text
             WHERE id_hash = $1",
            hash(&record.id),
            data,
            expires_at,
            PERSON,
            USER_AGENT,
        )
        .execute(&self.pool)
        .await
        .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        // Notes the visit once a minute at most, so that a busy browser writes little.
        let row = sqlx::query!(
            "WITH seen AS (
                 UPDATE sessions SET last_seen_at = now()
                 WHERE id_hash = $1 AND last_seen_at < now() - interval '1 minute'
             )
             SELECT data, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > now()",
            hash(id),
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(backend)?;
        row.map(|row| {
            let data = serde_json::from_value(row.data).map_err(|error| Error::Decode(error.to_string()))?;
            let expiry_date = time::OffsetDateTime::from_unix_timestamp(row.expires_at.timestamp())
                .map_err(|error| Error::Decode(error.to_string()))?;
            Ok(Record { id: *id, data, expiry_date })
        })
        .transpose()
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        sqlx::query!("DELETE FROM sessions WHERE id_hash = $1", hash(id))
            .execute(&self.pool)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

/// Takes an entry out of a session. Of two requests that want it, one gets it.
pub async fn take(pool: &PgPool, id: &Id, entry: &str) -> sqlx::Result<Option<serde_json::Value>> {
    sqlx::query_scalar!(
        r#"UPDATE sessions SET data = sessions.data - $2
           FROM (SELECT id_hash, data FROM sessions WHERE id_hash = $1 FOR UPDATE) AS before
           WHERE sessions.id_hash = before.id_hash AND sessions.expires_at > now() AND before.data ? $2
           RETURNING before.data -> $2 AS "entry!""#,
        hash(id),
        entry,
    )
    .fetch_optional(pool)
    .await
}

/// A person's browsers, the one that was here last first. `this_one` is the session that asks.
pub async fn of_person(
    pool: &PgPool,
    user: UserId,
    this_one: Option<Id>,
    browser: fn(Option<&str>) -> String,
) -> sqlx::Result<Vec<SignedIn>> {
    let this_one = this_one.map(|id| hash(&id));
    let rows = sqlx::query!(
        r#"SELECT id, user_agent, created_at, last_seen_at, id_hash IS NOT DISTINCT FROM $2 AS "is_this_one!"
           FROM sessions WHERE user_id = $1 AND expires_at > now()
           ORDER BY last_seen_at DESC, created_at DESC, id"#,
        user.as_uuid(),
        this_one,
    )
    .fetch_all(pool)
    .await?;
    let sessions = rows.into_iter().map(|row| SignedIn {
        id: SessionId::from_uuid(row.id),
        browser: browser(row.user_agent.as_deref()),
        created_at: timestamp(row.created_at),
        last_seen_at: timestamp(row.last_seen_at),
        is_this_one: row.is_this_one,
    });
    Ok(sessions.collect())
}

/// `false`: this person has no such session.
pub async fn end(pool: &PgPool, user: UserId, id: SessionId) -> sqlx::Result<bool> {
    let ended =
        sqlx::query!("DELETE FROM sessions WHERE id = $1 AND user_id = $2", id.as_uuid(), user.as_uuid())
            .execute(pool)
            .await?;
    Ok(ended.rows_affected() > 0)
}

/// Signs a person out everywhere.
pub async fn end_all(pool: &PgPool, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user.as_uuid()).execute(pool).await.map(drop)
}

/// Forgets sessions and sign-in links that have run out.
pub async fn delete_expired(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()").execute(pool).await?;
    sqlx::query!("DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 day'")
        .execute(pool)
        .await?;
    Ok(())
}
