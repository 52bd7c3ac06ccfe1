//! Table `job_output`: the archive of lines, in compressed chunks.

use std::time::Duration;

use app::model::JobId;
use sqlx::{PgExecutor, Result};

use super::signed;

/// Consecutive lines of one attempt as zstd-compressed JSON, one a line.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub first_seq: u64,
    pub last_seq: u64,
    pub lines: Vec<u8>,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Yes,
    /// The attempt is over or another runner's: nothing was written.
    NotHeld,
}

/// Stores a chunk if `runner` holds the attempt. The row lock keeps the attempt from being declared lost in between.
/// Storing the same chunk again changes nothing.
pub async fn store(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    runner: &str,
    chunk: &Chunk,
) -> Result<Stored> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               SELECT job_id, attempt FROM attempts
               WHERE job_id = $1 AND attempt = $2 AND runner = $3 AND state = 'running' FOR SHARE
           ), stored AS (
               INSERT INTO job_output (job_id, attempt, last_seq, first_seq, lines)
               SELECT job_id, attempt, $4, $5, $6 FROM held
               ON CONFLICT (job_id, attempt, last_seq) DO NOTHING
           )
           SELECT count(*) > 0 AS "held!" FROM held"#,
        id.as_uuid(),
        signed(attempt),
        runner,
        seq(chunk.last_seq),
        seq(chunk.first_seq),
        &chunk.lines,
    )
    .fetch_one(db)
    .await?;
    Ok(if held { Stored::Yes } else { Stored::NotHeld })
}

/// Stores a chunk of an attempt whose runner is lost, in the transaction that declares it so.
pub async fn store_rest(db: impl PgExecutor<'_>, id: JobId, attempt: u32, chunk: &Chunk) -> Result<()> {
    sqlx::query!(
        "INSERT INTO job_output (job_id, attempt, last_seq, first_seq, lines) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (job_id, attempt, last_seq) DO NOTHING",
        id.as_uuid(),
        signed(attempt),
        seq(chunk.last_seq),
        seq(chunk.first_seq),
        &chunk.lines,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The chunks that hold lines after `after`, in order, `limit` at most.
pub async fn after(
    db: impl PgExecutor<'_>,
    id: JobId,
    attempt: u32,
    after: u64,
    limit: i64,
) -> Result<Vec<Chunk>> {
    let rows = sqlx::query!(
        "SELECT first_seq, last_seq, lines FROM job_output
         WHERE job_id = $1 AND attempt = $2 AND last_seq > $3 ORDER BY last_seq LIMIT $4",
        id.as_uuid(),
        signed(attempt),
        seq(after),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Chunk {
            first_seq: unsigned_seq(row.first_seq),
            last_seq: unsigned_seq(row.last_seq),
            lines: row.lines,
        })
        .collect())
}

/// The last seq in the archive; 0 when it is empty.
pub async fn last_seq(db: impl PgExecutor<'_>, id: JobId, attempt: u32) -> Result<u64> {
    let last = sqlx::query_scalar!(
        "SELECT max(last_seq) FROM job_output WHERE job_id = $1 AND attempt = $2",
        id.as_uuid(),
        signed(attempt),
    )
    .fetch_one(db)
    .await?;
    Ok(last.map_or(0, unsigned_seq))
}

/// Replaces the output of attempts that ended longer than `keep` ago by `notice`, a chunk of one line. Returns how many
/// attempts that were and how many bytes went.
pub async fn delete_old(
    db: impl PgExecutor<'_>,
    keep: Duration,
    notice: &[u8],
    limit: i64,
) -> Result<(u64, u64)> {
    let row = sqlx::query!(
        r#"WITH old AS (
               SELECT job_id, attempt FROM attempts
               WHERE finished_at < now() - $1 * interval '1 millisecond' AND lines > 1 LIMIT $3
           ), gone AS (
               DELETE FROM job_output USING old
               WHERE job_output.job_id = old.job_id AND job_output.attempt = old.attempt AND last_seq > 1
               RETURNING length(lines) AS bytes
           ), noted AS (
               INSERT INTO job_output (job_id, attempt, last_seq, first_seq, lines) SELECT job_id, attempt, 1, 1, $2 FROM old
               ON CONFLICT (job_id, attempt, last_seq) DO UPDATE SET lines = excluded.lines
           ), counted AS (
               UPDATE attempts SET lines = 1 FROM old WHERE attempts.job_id = old.job_id AND attempts.attempt = old.attempt
           )
           SELECT (SELECT count(*) FROM old) AS "attempts!", (SELECT coalesce(sum(bytes), 0) FROM gone) AS "bytes!""#,
        keep.as_secs_f64() * 1000.0,
        notice,
        limit,
    )
    .fetch_one(db)
    .await?;
    Ok((u64::try_from(row.attempts).unwrap_or(0), u64::try_from(row.bytes).unwrap_or(0)))
}

fn seq(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned_seq(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
