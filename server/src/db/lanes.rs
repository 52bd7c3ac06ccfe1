//! Table `lanes`: which lanes are paused, by whom, and until when.

use std::collections::HashMap;

use app::model::{Kind, Pause};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};

use super::{timestamp, unreadable};

/// What was set for a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneSettings {
    pub pause: Option<Pause>,
    /// Grows with every change; 0 where nothing was ever set.
    pub revision: i64,
}

/// The lanes for which something was set.
pub async fn all(db: impl PgExecutor<'_>) -> Result<HashMap<Kind, LaneSettings>> {
    let rows = sqlx::query!(
        r#"SELECT kind, pause_reason, paused_by, paused_at, resume_at, revision,
                  coalesce(resume_at <= now(), false) AS "is_over!" FROM lanes"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let pause = row.pause_reason.zip(row.paused_at).filter(|_| !row.is_over);
            let pause = pause.map(|(reason, since)| Pause {
                reason,
                by: row.paused_by,
                since: timestamp(since),
                until: row.resume_at.map(timestamp),
            });
            Ok((row.kind.parse().map_err(unreadable)?, LaneSettings { pause, revision: row.revision }))
        })
        .collect()
}

/// Pauses a lane; for one that is paused, reason and time are replaced. `by` is nobody where Millrace does it by itself.
pub async fn pause(
    db: impl PgExecutor<'_>,
    lane: Kind,
    by: Option<&str>,
    reason: &str,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO lanes (kind, pause_reason, paused_by, paused_at, resume_at) VALUES ($1, $2, $3, now(), $4)
         ON CONFLICT (kind) DO UPDATE SET pause_reason = excluded.pause_reason, paused_by = excluded.paused_by,
                                          paused_at = excluded.paused_at, resume_at = excluded.resume_at,
                                          revision = lanes.revision + 1",
        lane.as_str(),
        reason,
        by,
        until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets a lane go on. One that is not paused stays as it is.
pub async fn resume(db: impl PgExecutor<'_>, lane: Kind) -> Result<()> {
    sqlx::query!(
        "UPDATE lanes SET pause_reason = NULL, paused_by = NULL, paused_at = NULL, resume_at = NULL,
                          revision = revision + 1
         WHERE kind = $1",
        lane.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets those lanes go on whose time has come, and returns them.
pub async fn resume_due(db: impl PgExecutor<'_>) -> Result<Vec<Kind>> {
    let kinds = sqlx::query_scalar!(
        "UPDATE lanes SET pause_reason = NULL, paused_by = NULL, paused_at = NULL, resume_at = NULL,
                          revision = revision + 1
         WHERE resume_at <= now() RETURNING kind"
    )
    .fetch_all(db)
    .await?;
    kinds.iter().map(|kind| kind.parse().map_err(unreadable)).collect()
}
