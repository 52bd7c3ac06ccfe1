//! Table `attempt_changes`: what attempts changed, as compressed diffs.

use app::model::JobId;
use sqlx::{PgExecutor, Result};

use super::{output::Stored, signed};

/// A zstd-compressed diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPatch {
    pub patch: Vec<u8>,
    /// There was more than is kept.
    pub cut: bool,
}

/// Stores what an attempt changed if `runner` holds it; what was stored before goes.
pub async fn store(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    runner: &str,
    patch: &StoredPatch,
) -> Result<Stored> {
    let stored = sqlx::query!(
        "INSERT INTO attempt_changes (job_id, attempt, patch, cut)
         SELECT job_id, attempt, $4, $5 FROM attempts
         WHERE job_id = $1 AND attempt = $2 AND runner = $3 AND state = 'running' FOR SHARE
         ON CONFLICT (job_id, attempt) DO UPDATE SET patch = excluded.patch, cut = excluded.cut",
        id.as_uuid(),
        signed(attempt),
        runner,
        &patch.patch,
        patch.cut,
    )
    .execute(db)
    .await?;
    Ok(if stored.rows_affected() > 0 { Stored::Yes } else { Stored::NotHeld })
}

pub async fn find(db: impl PgExecutor<'_>, id: JobId, attempt: u32) -> Result<Option<StoredPatch>> {
    sqlx::query_as!(
        StoredPatch,
        "SELECT patch, cut FROM attempt_changes WHERE job_id = $1 AND attempt = $2",
        id.as_uuid(),
        signed(attempt),
    )
    .fetch_optional(db)
    .await
}
