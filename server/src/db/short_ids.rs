//! Jobs by the end of their id, which is what people see and type.

use app::model::JobId;
use sqlx::{PgExecutor, Result};

use super::Visible;

/// Jobs whose id ends with these hexadecimal digits in lower case; two at most, because two are too many already. No index
/// helps: this is for a person at a keyboard, and an index in random order would cost every insert.
pub async fn ids_ending_with(db: impl PgExecutor<'_>, visible: Visible, digits: &str) -> Result<Vec<JobId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE right(id::text, 8) = $1 AND ($2::uuid IS NULL OR created_by = $2) LIMIT 2",
        digits,
        visible.owner(),
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(JobId::from_uuid).collect())
}
