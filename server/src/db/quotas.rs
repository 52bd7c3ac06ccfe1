//! Table `agent_quotas`: agents whose provider says that the quota is used up.

use app::model::{Timestamp, UsedUp};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};

use super::timestamp;

/// Without a time from the provider the first pause is this long; doubled each time it turns out too short.
const FIRST_PAUSE_MINUTES: f64 = 5.0;
const LONGEST_PAUSE_MINUTES: f64 = 300.0;

/// Notes that an agent's quota is used up, and returns until when its jobs are to wait. Of several times the latest counts.
pub async fn use_up(
    db: impl PgExecutor<'_>,
    agent: &str,
    reason: &str,
    until: Option<DateTime<Utc>>,
) -> Result<Timestamp> {
    let resumes_at = sqlx::query_scalar!(
        r#"INSERT INTO agent_quotas AS known (agent, reason, resumes_at, strikes)
           VALUES ($1, $2, coalesce($3, now() + $4 * interval '1 minute'), ($3::timestamptz IS NULL)::integer)
           ON CONFLICT (agent) DO UPDATE SET
               reason = excluded.reason,
               resumes_at = greatest(known.resumes_at, coalesce(
                   $3, CASE WHEN known.resumes_at > now() THEN known.resumes_at
                            ELSE now() + least($4 * power(2, least(known.strikes, 20)), $5) * interval '1 minute' END)),
               -- Attempts that end together count once.
               strikes = CASE WHEN $3 IS NOT NULL THEN 0
                              WHEN known.resumes_at > now() THEN known.strikes
                              ELSE known.strikes + 1 END
           RETURNING resumes_at"#,
        agent,
        reason,
        until,
        FIRST_PAUSE_MINUTES,
        LONGEST_PAUSE_MINUTES,
    )
    .fetch_one(db)
    .await?;
    Ok(timestamp(resumes_at))
}

/// The agent was asked and answered: the next pause is a short one again.
pub async fn is_there(db: impl PgExecutor<'_>, agent: &str) -> Result<()> {
    sqlx::query!("DELETE FROM agent_quotas WHERE agent = $1 AND resumes_at <= now()", agent)
        .execute(db)
        .await?;
    Ok(())
}

/// Somebody knows better than the provider. Returns whether there was anything to forget.
pub async fn forget(db: impl PgExecutor<'_>, agent: &str) -> Result<bool> {
    let forgotten = sqlx::query!("DELETE FROM agent_quotas WHERE agent = $1", agent).execute(db).await?;
    Ok(forgotten.rows_affected() > 0)
}

/// The agents whose jobs wait, and how many those are.
pub async fn used_up(db: impl PgExecutor<'_>) -> Result<Vec<UsedUp>> {
    let rows = sqlx::query!(
        r#"SELECT agent, reason, resumes_at,
                  (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND run_at IS NOT NULL AND state = 'parked'
                                               AND jobs.agent = agent_quotas.agent) AS "parked!"
           FROM agent_quotas WHERE resumes_at > now() ORDER BY agent"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| UsedUp {
            agent: row.agent,
            reason: row.reason,
            until: timestamp(row.resumes_at),
            parked: u32::try_from(row.parked).unwrap_or(u32::MAX),
        })
        .collect())
}
