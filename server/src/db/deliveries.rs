//! Table `deliveries`: what webhooks brought, who works on it, and what came of it.
//!
//! What was brought is on the disk before it is acknowledged. What came of it need not be: after a crash it is found out again,
//! and whatever relies on it stands behind it in Postgres's log. So those commits wait for no disk, by `set_config`.

use std::time::Duration;

use app::model::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, JobId, Verdict};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Result, postgres::types::PgInterval};
use uuid::Uuid;

use super::{jobs::patterns, timestamp, unreadable, unsigned};

/// The level of the compression: it has to be quick.
const LEVEL: i32 = 1;
/// What GitHub sends at most.
const LARGEST: usize = 25 << 20;
/// Days after which those are deleted that anybody could have sent.
const BAD_DAYS: i32 = 7;
/// How many of those are kept.
const MOST_BAD: i64 = 1_000;

/// A delivery as it came.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    pub id: DeliveryId,
    pub event: &'a str,
    pub action: Option<&'a str>,
    pub repository: Option<&'a str>,
    pub number: Option<i64>,
    pub sender: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub payload: &'a [u8],
}

/// Keeps a delivery to be worked on, or counts one that came before. Returns how often it came.
pub async fn add(db: impl PgExecutor<'_>, new: &NewDelivery<'_>) -> Result<u32> {
    let seen = sqlx::query_scalar!(
        "INSERT INTO deliveries (id, event, action, repository, number, sender, subject, payload)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET seen = deliveries.seen + 1 RETURNING seen",
        new.id.as_uuid(),
        new.event,
        new.action,
        new.repository,
        new.number,
        new.sender,
        new.subject,
        pack(new.payload)?,
    )
    .fetch_one(db)
    .await?;
    Ok(unsigned(seen.into()))
}

/// Keeps a delivery that nothing will come of. Of those with a wrong signature only so many are kept within a minute:
/// anybody can send them.
pub async fn add_refused(
    db: impl PgExecutor<'_>,
    new: &NewDelivery<'_>,
    verdict: Verdict,
    detail: &str,
    per_minute: i64,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO deliveries (id, event, payload, verdict, detail, worked_at)
         SELECT $1, $2, $3, $4, $5, now()
         WHERE (SELECT count(*) FROM deliveries WHERE received_at > now() - interval '1 minute' AND verdict = $4) < $6
         ON CONFLICT (id) DO UPDATE SET seen = deliveries.seen + 1",
        new.id.as_uuid(),
        new.event,
        pack(new.payload)?,
        verdict.as_str(),
        detail,
        per_minute,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A delivery that somebody works on until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub id: DeliveryId,
    pub event: String,
    pub repository: Option<String>,
    pub subject: Option<String>,
    pub payload: Vec<u8>,
    /// How often it was begun: what whoever began it before says of it changes nothing.
    pub tries: i32,
    /// The same since it came, or was to be worked on anew.
    pub in_a_row: u32,
    pub replays: u32,
    pub received_at: DateTime<Utc>,
}

/// Claims deliveries whose time has come, the oldest first. Of one thread it is the oldest that has no verdict: the others
/// wait for it.
pub async fn claim(db: impl PgExecutor<'_>, limit: i64, lease: Duration) -> Result<Vec<Claimed>> {
    let lease = PgInterval::try_from(lease).map_err(sqlx::Error::Decode)?;
    let rows = sqlx::query!(
        "WITH due AS (
             SELECT id FROM deliveries AS due WHERE verdict IS NULL AND due_at <= now() AND NOT EXISTS (
                 SELECT FROM deliveries AS before
                 WHERE before.verdict IS NULL AND before.repository = due.repository AND before.number = due.number
                   AND (before.received_at, before.id) < (due.received_at, due.id))
             ORDER BY received_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
         )
         UPDATE deliveries SET due_at = now() + $2, tries = tries + 1, in_a_row = in_a_row + 1
         FROM due
         WHERE deliveries.id = due.id AND verdict IS NULL AND set_config('synchronous_commit', 'off', true) <> ''
         RETURNING deliveries.id, event, repository, subject, payload, tries, in_a_row, replays, received_at",
        limit,
        lease,
    )
    .fetch_all(db)
    .await?;
    let mut claimed: Vec<Claimed> = rows
        .into_iter()
        .map(|row| {
            Ok(Claimed {
                id: DeliveryId::from_uuid(row.id),
                event: row.event,
                repository: row.repository,
                subject: row.subject,
                payload: unpack(&row.payload)?,
                tries: row.tries,
                in_a_row: unsigned(row.in_a_row.into()),
                replays: unsigned(row.replays.into()),
                received_at: row.received_at,
            })
        })
        .collect::<Result<_>>()?;
    claimed.sort_by_key(|delivery| (delivery.received_at, delivery.id));
    Ok(claimed)
}

/// Notes what came of a delivery. `false`: somebody else has begun it meanwhile, and nothing was changed. In one transaction
/// with the job's insert, this is what makes one job of it.
pub async fn settle(
    db: impl PgExecutor<'_>,
    claimed: &Claimed,
    verdict: Verdict,
    detail: &str,
    job: Option<JobId>,
) -> Result<bool> {
    let settled = sqlx::query!(
        "UPDATE deliveries SET verdict = $3, detail = nullif($4, ''), job_id = coalesce($5, job_id), worked_at = now()
         WHERE id = $1 AND tries = $2 AND verdict IS NULL AND set_config('synchronous_commit', 'off', true) <> ''",
        claimed.id.as_uuid(),
        claimed.tries,
        verdict.as_str(),
        detail.replace('\0', ""),
        job.as_ref().map(JobId::as_uuid),
    )
    .execute(db)
    .await?;
    Ok(settled.rows_affected() > 0)
}

/// Has a delivery begun again at `due_at`.
pub async fn put_off(
    db: impl PgExecutor<'_>,
    claimed: &Claimed,
    due_at: DateTime<Utc>,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "UPDATE deliveries SET due_at = $3, detail = $4 WHERE id = $1 AND tries = $2 AND verdict IS NULL",
        claimed.id.as_uuid(),
        claimed.tries,
        due_at,
        detail.replace('\0', ""),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Has a delivery worked on anew. `false`: there is none with this id whose signature was right and that was worked on.
pub async fn replay(db: impl PgExecutor<'_>, id: DeliveryId) -> Result<bool> {
    let replayed = sqlx::query!(
        "UPDATE deliveries SET verdict = NULL, detail = NULL, due_at = now(), in_a_row = 0, replays = replays + 1
         WHERE id = $1 AND verdict <> 'bad_signature'",
        id.as_uuid(),
    )
    .execute(db)
    .await?;
    Ok(replayed.rows_affected() > 0)
}

/// Has failed checks worked on anew that came while a job was at work on their branch, and that has ended since; not where
/// somebody has stopped it. Returns how many.
pub async fn look_again(db: impl PgExecutor<'_>) -> Result<u64> {
    let again = sqlx::query!(
        "UPDATE deliveries SET verdict = NULL, detail = NULL, due_at = now(), in_a_row = 0
         FROM jobs
         WHERE jobs.id = job_id AND verdict = 'duplicate' AND event = 'check_run' AND finished_at > worked_at
           AND state <> 'canceled'"
    )
    .execute(db)
    .await?;
    Ok(again.rows_affected())
}

/// An earlier delivery that told of the same and was worked on, and the job that it made if it made one.
pub async fn asked_before(db: impl PgExecutor<'_>, claimed: &Claimed) -> Result<Option<Option<JobId>>> {
    let job = sqlx::query_scalar!(
        "SELECT job_id FROM deliveries
         WHERE repository = $1 AND subject = $2 AND id <> $3 AND verdict IN ('ran', 'answered')
         ORDER BY received_at DESC LIMIT 1",
        claimed.repository,
        claimed.subject,
        claimed.id.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    Ok(job.map(|job| job.map(JobId::from_uuid)))
}

/// The repositories that have told something, those that did last first.
pub async fn repositories(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT repository AS "repository!" FROM deliveries WHERE repository IS NOT NULL
           GROUP BY repository ORDER BY max(received_at) DESC LIMIT $1"#,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Those of the ids that came.
pub async fn known(db: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM deliveries WHERE id = ANY($1)", ids).fetch_all(db).await
}

/// Deliveries that fit the filter, the latest first, after the one that came at a time with an id.
pub async fn page(
    db: impl PgExecutor<'_>,
    filter: &DeliveryFilter,
    after: Option<(DateTime<Utc>, DeliveryId)>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let (at, id) = after.unzip();
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, event, action, repository, number, sender, received_at, verdict, detail, job_id, worked_at, seen, tries,
                replays
         FROM deliveries
         WHERE ($1::text IS NULL OR verdict = $1)
           AND concat_ws(' ', event, action, repository, '#' || number, sender, detail) ILIKE ALL ($2)
           AND ($3::timestamptz IS NULL OR (received_at, id) < ($3, $4))
         ORDER BY received_at DESC, id DESC LIMIT $5",
        filter.verdict.map(Verdict::as_str),
        &patterns(filter.q.as_deref().unwrap_or_default()),
        at,
        id.as_ref().map(DeliveryId::as_uuid),
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Delivery::try_from).collect()
}

pub async fn find(db: impl PgExecutor<'_>, id: DeliveryId) -> Result<Option<DeliveryDetail>> {
    let row = sqlx::query!(
        "SELECT id, event, action, repository, number, sender, received_at, verdict, detail, job_id, worked_at, seen, tries,
                replays, payload
         FROM deliveries WHERE id = $1",
        id.as_uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        let payload = String::from_utf8_lossy(&unpack(&row.payload)?).into_owned();
        let row = Row {
            id: row.id,
            event: row.event,
            action: row.action,
            repository: row.repository,
            number: row.number,
            sender: row.sender,
            received_at: row.received_at,
            verdict: row.verdict,
            detail: row.detail,
            job_id: row.job_id,
            worked_at: row.worked_at,
            seen: row.seen,
            tries: row.tries,
            replays: row.replays,
        };
        Ok(DeliveryDetail { delivery: row.try_into()?, payload })
    })
    .transpose()
}

/// Deletes those that are older than that, and sooner those that anybody could have sent.
pub async fn delete_old(db: impl PgExecutor<'_>, older_than: Option<Duration>) -> Result<u64> {
    let seconds = older_than.map(|age| age.as_secs_f64());
    let deleted = sqlx::query!(
        "DELETE FROM deliveries WHERE verdict IS NOT NULL
           AND (received_at < now() - make_interval(secs => $1)
                OR verdict = 'bad_signature' AND received_at < now() - make_interval(days => $2))",
        seconds,
        BAD_DAYS,
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes the oldest of those that anybody could have sent, where there are too many of them.
pub async fn delete_surplus(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(
        "DELETE FROM deliveries WHERE id IN (
             SELECT id FROM deliveries WHERE verdict = 'bad_signature' ORDER BY received_at DESC, id DESC OFFSET $1)",
        MOST_BAD,
    )
    .execute(db)
    .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    event: String,
    action: Option<String>,
    repository: Option<String>,
    number: Option<i64>,
    sender: Option<String>,
    received_at: DateTime<Utc>,
    verdict: Option<String>,
    detail: Option<String>,
    job_id: Option<Uuid>,
    worked_at: Option<DateTime<Utc>>,
    seen: i32,
    tries: i32,
    replays: i32,
}

impl TryFrom<Row> for Delivery {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: DeliveryId::from_uuid(row.id),
            event: row.event,
            action: row.action,
            repository: row.repository,
            number: row.number,
            sender: row.sender,
            received_at: timestamp(row.received_at),
            verdict: row.verdict.map(|word| word.parse().map_err(unreadable)).transpose()?,
            detail: row.detail,
            job: row.job_id.map(JobId::from_uuid),
            worked_at: row.worked_at.map(timestamp),
            seen: unsigned(row.seen.into()),
            tries: unsigned(row.tries.into()),
            replays: unsigned(row.replays.into()),
        })
    }
}

fn pack(payload: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(payload, LEVEL).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn unpack(payload: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::decompress(payload, LARGEST).map_err(unreadable)
}
