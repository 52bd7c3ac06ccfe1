//! Table `runners`: who executes attempts, and when each was last heard of.

use app::model::Kind;
use sqlx::{PgExecutor, Result};

use super::{signed, unsigned};

/// Notes that a runner is here. Called when it starts and with every heartbeat.
pub async fn heartbeat(db: impl PgExecutor<'_>, name: &str, slots: u32, lanes: &[Kind]) -> Result<()> {
    let lanes: Vec<String> = lanes.iter().map(|kind| kind.as_str().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO runners (name, version, slots, lanes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, slots = excluded.slots, lanes = excluded.lanes,
                                          last_seen_at = now()",
        name,
        env!("CARGO_PKG_VERSION"),
        signed(slots),
        &lanes,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a runner that stops off the list, and those that have not been heard of for a day with it.
pub async fn remove(db: impl PgExecutor<'_>, name: &str) -> Result<()> {
    sqlx::query!("DELETE FROM runners WHERE name = $1 OR last_seen_at < now() - interval '1 day'", name)
        .execute(db)
        .await?;
    Ok(())
}

/// How many runners were heard of in the last ten seconds: a heartbeat comes every two.
pub async fn online(db: impl PgExecutor<'_>) -> Result<u32> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM runners WHERE last_seen_at > now() - interval '10 seconds'"#
    )
    .fetch_one(db)
    .await?;
    Ok(unsigned(count))
}
