//! Table `sessions`: browsers that are signed in. The store behind `tower-sessions`; a cookie's value is kept as its
//! SHA-256 only, so that a copy of the database signs nobody in.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{self, Error},
};

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

#[async_trait]
impl SessionStore for PostgresSessions {
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let data = serde_json::to_value(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let expires_at = chrono::DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0);
        sqlx::query!(
            "INSERT INTO sessions (id_hash, data, expires_at) VALUES ($1, $2, coalesce($3, now()))
             ON CONFLICT (id_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at",
            hash(&record.id),
            data,
            expires_at,
        )
        .execute(&self.pool)
        .await
        .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let row = sqlx::query!(
            "SELECT data, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > now()",
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

/// Forgets sessions and sign-in links that have run out.
pub async fn delete_expired(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE expires_at < now()").execute(pool).await?;
    sqlx::query!("DELETE FROM sign_in_links WHERE expires_at < now() - interval '1 day'")
        .execute(pool)
        .await?;
    Ok(())
}
