//! Table `schedules`: jobs that the clock makes.

use app::model::{JobId, Missed, NewJob, Person, Schedule, ScheduleId, UserId};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result};

use super::{Visible, timestamp, unreadable};

/// A checked request for a schedule.
#[derive(Clone, Debug)]
pub struct NewScheduleRow<'a> {
    pub id: ScheduleId,
    pub name: &'a str,
    pub cron: &'a str,
    pub timezone: &'a str,
    pub missed: Missed,
    pub job: &'a NewJob,
    pub created_by: UserId,
    pub next_at: DateTime<Utc>,
}

/// Keeps a schedule. `false`: this person has one of that name already, and nothing was changed.
pub async fn insert(db: impl PgExecutor<'_>, new: &NewScheduleRow<'_>) -> Result<bool> {
    let job = serde_json::to_value(new.job).map_err(unreadable)?;
    let inserted = sqlx::query!(
        "INSERT INTO schedules (id, name, cron, timezone, missed, job, created_by, next_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT schedules_name DO NOTHING",
        new.id.as_uuid(),
        new.name,
        new.cron,
        new.timezone,
        new.missed.as_str(),
        job,
        new.created_by.as_uuid(),
        new.next_at,
    )
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Schedules by name, or the one with this id.
pub async fn list(
    db: impl PgExecutor<'_>,
    visible: Visible,
    id: Option<ScheduleId>,
) -> Result<Vec<Schedule>> {
    let rows = sqlx::query!(
        "SELECT schedules.id, name, cron, timezone, missed, job, login, schedules.created_at, next_at, last_at, last_job,
                error
         FROM schedules JOIN users ON users.id = schedules.created_by
         WHERE ($1::uuid IS NULL OR created_by = $1) AND ($2::uuid IS NULL OR schedules.id = $2)
         ORDER BY name, schedules.id",
        visible.owner(),
        id.as_ref().map(ScheduleId::as_uuid),
    )
    .fetch_all(db)
    .await?;
    let schedules = rows.into_iter().map(|row| Schedule {
        id: ScheduleId::from_uuid(row.id),
        name: row.name,
        cron: row.cron,
        timezone: row.timezone,
        // What a newer version has written is shown empty, so that it can still be deleted; its error says more.
        missed: row.missed.parse().unwrap_or(Missed::Skip),
        job: serde_json::from_value(row.job).unwrap_or_default(),
        created_by: row.login,
        created_at: timestamp(row.created_at),
        next_at: row.next_at.map(timestamp),
        last_at: row.last_at.map(timestamp),
        last_job: row.last_job.map(JobId::from_uuid),
        error: row.error,
    });
    Ok(schedules.collect())
}

/// Removes a schedule; the jobs that it made stay. `false`: there is none with this id that this person may see.
pub async fn delete(db: impl PgExecutor<'_>, visible: Visible, id: ScheduleId) -> Result<bool> {
    let deleted = sqlx::query!(
        "DELETE FROM schedules WHERE id = $1 AND ($2::uuid IS NULL OR created_by = $2)",
        id.as_uuid(),
        visible.owner(),
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// A schedule whose time has come.
#[derive(Debug)]
pub struct DueSchedule {
    pub id: ScheduleId,
    pub cron: String,
    pub timezone: String,
    /// What it makes; an error where a newer version has written what this one cannot read.
    pub plan: Result<Plan>,
    /// The time that has come.
    pub at: DateTime<Utc>,
    /// What Postgres's clock says, the one that all servers share.
    pub now: DateTime<Utc>,
}

/// What a schedule makes, for whom.
#[derive(Clone, Debug)]
pub struct Plan {
    pub missed: Missed,
    pub job: NewJob,
    pub owner: Person,
}

/// Schedules whose time has come, the longest due first.
pub async fn due(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<DueSchedule>> {
    let rows = sqlx::query!(
        r#"SELECT schedules.id, cron, timezone, missed, job, users.id AS user_id, login, role, next_at AS "next_at!",
                  now() AS "now!"
           FROM schedules JOIN users ON users.id = schedules.created_by
           WHERE next_at <= now() AND is_admitted ORDER BY next_at LIMIT $1"#,
        limit,
    )
    .fetch_all(db)
    .await?;
    let due = rows.into_iter().map(|row| {
        let (id, login) = (UserId::from_uuid(row.user_id), row.login);
        let plan = || {
            Ok(Plan {
                missed: row.missed.parse().map_err(unreadable)?,
                job: serde_json::from_value(row.job).map_err(unreadable)?,
                owner: Person { id, login, role: row.role.parse().map_err(unreadable)? },
            })
        };
        DueSchedule {
            id: ScheduleId::from_uuid(row.id),
            plan: plan(),
            cron: row.cron,
            timezone: row.timezone,
            at: row.next_at,
            now: row.now,
        }
    });
    Ok(due.collect())
}

/// What came of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fired {
    Job(JobId),
    /// It was left out.
    Nothing,
    /// No job could be made, for this reason.
    Error(String),
}

/// Moves a schedule on from the time `at`. `false`: somebody else did, and nothing was changed. In one transaction with the
/// job's insert, this is what makes one job of each time.
pub async fn advance(
    db: impl PgExecutor<'_>,
    id: ScheduleId,
    at: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
    fired: &Fired,
) -> Result<bool> {
    let (last_at, job, error) = match fired {
        Fired::Job(job) => (Some(at), Some(job.as_uuid()), None),
        Fired::Nothing => (None, None, None),
        Fired::Error(error) => (Some(at), None, Some(error.as_str())),
    };
    let advanced = sqlx::query!(
        "UPDATE schedules SET next_at = $3, last_at = coalesce($4, last_at), last_job = coalesce($5, last_job), error = $6
         WHERE id = $1 AND next_at = $2",
        id.as_uuid(),
        at,
        next,
        last_at,
        job,
        error,
    )
    .execute(db)
    .await?;
    Ok(advanced.rows_affected() > 0)
}
