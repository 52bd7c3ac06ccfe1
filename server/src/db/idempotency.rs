//! Table `idempotency_keys`: which request made which job.

use app::model::{JobId, UserId};
use sqlx::{PgExecutor, Result};

/// The SHA-256 of a request, to tell whether the same was asked for again.
pub type RequestDigest = [u8; 32];

/// Takes the key for a job. `false`: somebody has it already, after waiting for them if they are at it in this moment.
pub async fn take(
    db: impl PgExecutor<'_>,
    user: UserId,
    key: &str,
    request: &RequestDigest,
    job: JobId,
) -> Result<bool> {
    let taken = sqlx::query!(
        "INSERT INTO idempotency_keys (user_id, key, request_sha256, job_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, key) DO NOTHING",
        user.as_uuid(),
        key,
        &request[..],
        job.as_uuid(),
    )
    .execute(db)
    .await?;
    Ok(taken.rows_affected() > 0)
}

/// The job that was made with the key, and the digest of the request that made it.
pub async fn find(db: impl PgExecutor<'_>, user: UserId, key: &str) -> Result<Option<(JobId, Vec<u8>)>> {
    let row = sqlx::query!(
        "SELECT job_id, request_sha256 FROM idempotency_keys WHERE user_id = $1 AND key = $2",
        user.as_uuid(),
        key,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| (JobId::from_uuid(row.job_id), row.request_sha256)))
}

/// Forgets keys that nobody will repeat any more.
pub async fn delete_old(db: impl PgExecutor<'_>) -> Result<u64> {
    let deleted = sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days'")
        .execute(db)
        .await?;
    Ok(deleted.rows_affected())
}
