//! Table `runners`: who executes attempts, and when each was last heard of.

use std::collections::HashMap;

use app::model::{AgentStatus, JobId, Kind, RunnerInfo, RunnerJob};
use sqlx::{PgExecutor, Result, types::Json};

use super::{signed, timestamp, unreadable, unsigned};

/// Whether a runner takes new jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draining {
    No,
    /// It finishes what it runs.
    Yes,
}

/// Notes that a runner is here, and hears what is wanted of it. Called when it starts and with every heartbeat.
pub async fn heartbeat(db: impl PgExecutor<'_>, name: &str, slots: u32, lanes: &[Kind]) -> Result<Draining> {
    let lanes: Vec<String> = lanes.iter().map(|kind| kind.as_str().to_owned()).collect();
    let draining = sqlx::query_scalar!(
        "INSERT INTO runners (name, version, slots, lanes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, slots = excluded.slots, lanes = excluded.lanes,
                                          last_seen_at = now()
         RETURNING draining",
        name,
        env!("CARGO_PKG_VERSION"),
        signed(slots),
        &lanes,
    )
    .fetch_one(db)
    .await?;
    Ok(if draining { Draining::Yes } else { Draining::No })
}

/// Tells a runner whether to take new jobs; it hears of it with its next heartbeat. `false`: there is no such runner.
pub async fn set_draining(db: impl PgExecutor<'_>, name: &str, draining: Draining) -> Result<bool> {
    let set =
        sqlx::query!("UPDATE runners SET draining = $2 WHERE name = $1", name, draining == Draining::Yes)
            .execute(db)
            .await?;
    Ok(set.rows_affected() > 0)
}

/// What runners can execute at once, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    pub all: u32,
    /// Those that some job has, of whichever lane.
    pub busy: u32,
}

/// The slots of the runners that take a lane, of those that were heard of in the last ten seconds and take new jobs.
pub async fn slots(db: impl PgExecutor<'_>, lane: Kind) -> Result<Slots> {
    let slots = sqlx::query!(
        r#"SELECT coalesce(sum(slots), 0)::bigint AS "all!",
                  coalesce(sum((SELECT count(*) FROM attempts WHERE runner = name AND state = 'running')), 0)::bigint AS "busy!"
           FROM runners
           WHERE last_seen_at > now() - interval '10 seconds' AND NOT draining AND $1 = ANY (lanes)"#,
        lane.as_str(),
    )
    .fetch_one(db)
    .await?;
    Ok(Slots { all: unsigned(slots.all), busy: unsigned(slots.busy) })
}

/// Forgets runners that were not heard of for a day: they died without a word.
pub async fn delete_dead(db: impl PgExecutor<'_>) -> Result<u64> {
    let deleted =
        sqlx::query!("DELETE FROM runners WHERE last_seen_at < now() - interval '1 day'").execute(db).await?;
    Ok(deleted.rows_affected())
}

/// Takes a runner that stops off the list.
pub async fn remove(db: impl PgExecutor<'_>, name: &str) -> Result<()> {
    sqlx::query!("DELETE FROM runners WHERE name = $1", name).execute(db).await?;
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

/// All runners, those that are online first. `running` is left empty: [`hands`] knows.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<RunnerInfo>> {
    let rows = sqlx::query!(
        r#"SELECT name, version, slots, lanes, started_at, last_seen_at, draining,
                  last_seen_at > now() - interval '10 seconds' AS "online!"
           FROM runners ORDER BY 8 DESC, name"#
    )
    .fetch_all(db)
    .await?;
    let runners = rows.into_iter().map(|row| {
        Ok(RunnerInfo {
            name: row.name,
            version: row.version,
            slots: unsigned(row.slots.into()),
            lanes: row.lanes.iter().map(|lane| lane.parse().map_err(unreadable)).collect::<Result<_>>()?,
            started_at: timestamp(row.started_at),
            last_seen_at: timestamp(row.last_seen_at),
            online: row.online,
            draining: row.draining,
            running: Vec::new(),
        })
    });
    runners.collect()
}

/// What each runner has in its hands, the oldest first, by the runner's name.
pub async fn hands(db: impl PgExecutor<'_>) -> Result<HashMap<String, Vec<RunnerJob>>> {
    let rows = sqlx::query!(
        "SELECT attempts.runner, jobs.id, attempts.attempt, jobs.kind, jobs.title, attempts.started_at
         FROM attempts JOIN jobs ON jobs.id = attempts.job_id
         WHERE attempts.state = 'running' ORDER BY attempts.started_at, jobs.id"
    )
    .fetch_all(db)
    .await?;
    let mut hands: HashMap<String, Vec<RunnerJob>> = HashMap::new();
    for row in rows {
        let job = RunnerJob {
            id: JobId::from_uuid(row.id),
            attempt: unsigned(row.attempt.into()),
            kind: row.kind.parse().map_err(unreadable)?,
            title: row.title,
            started_at: timestamp(row.started_at),
        };
        hands.entry(row.runner).or_default().push(job);
    }
    Ok(hands)
}

/// Notes what there is of each agent on a runner's machine.
pub async fn set_agents(db: impl PgExecutor<'_>, name: &str, agents: &[AgentStatus]) -> Result<()> {
    sqlx::query!("UPDATE runners SET agents = $2 WHERE name = $1", name, Json(agents) as _)
        .execute(db)
        .await?;
    Ok(())
}

/// What the runners that were heard of in the last ten seconds and take agents' jobs have of each agent.
pub async fn agents(db: impl PgExecutor<'_>) -> Result<Vec<Vec<AgentStatus>>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT agents AS "agents: Json<Vec<AgentStatus>>" FROM runners
           WHERE last_seen_at > now() - interval '10 seconds' AND $1 = ANY (lanes) ORDER BY name"#,
        Kind::Agent.as_str(),
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|Json(agents)| agents).collect())
}
