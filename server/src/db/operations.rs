//! What the operator's page asks of table `jobs`: how the work went lately, and what waits for longest.

use app::model::{FailureGroup, Job, JobId, Minute};
use sqlx::{PgExecutor, Result};

use super::{JobRow, timestamp, unreadable, unsigned};

/// How many groups of failures are told apart.
const FAILURE_GROUPS: i64 = 12;
/// How many jobs are listed as the oldest.
const OLDEST: i64 = 6;

/// Failures of the last 24 hours by their first line, the most frequent first. Long hexadecimal words (ids, commits) differ
/// from job to job and say nothing of the reason, so they are left out.
pub async fn failures(db: impl PgExecutor<'_>) -> Result<Vec<FailureGroup>> {
    let rows = sqlx::query!(
        r#"SELECT kind, max(finished_at) AS "last_at!", count(*) AS "count!",
                  (array_agg(id ORDER BY finished_at DESC, id DESC))[1] AS "last_job!",
                  regexp_replace(split_part(coalesce(error, 'It gave no reason'), E'\n', 1),
                                 '[0-9a-f]{8,}(-[0-9a-f]{4,})*', '…', 'g') AS "reason!"
           FROM jobs
           WHERE finished_at > now() - interval '24 hours' AND state = 'failed'
           GROUP BY kind, 5 ORDER BY 3 DESC, 2 DESC LIMIT $1"#,
        FAILURE_GROUPS,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(FailureGroup {
                kind: row.kind.parse().map_err(unreadable)?,
                error: row.reason,
                count: unsigned(row.count),
                last_at: timestamp(row.last_at),
                last_job: JobId::from_uuid(row.last_job),
            })
        })
        .collect()
}

/// The queued jobs that have waited for longest. Looks at those of each priority that were made first, which the index
/// gives without reading a queue of a million jobs.
pub async fn oldest(db: impl PgExecutor<'_>) -> Result<Vec<Job>> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"SELECT jobs.* FROM generate_series(0, 3) AS urgency CROSS JOIN LATERAL (
               SELECT * FROM jobs
               WHERE state = 'queued' AND finished_at IS NULL AND priority = urgency
               ORDER BY id LIMIT $1
           ) AS jobs
           ORDER BY jobs.queued_at, jobs.id LIMIT $1"#,
        OLDEST,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// The last hour by the minute, the oldest first, without gaps. A job that was tried several times counts with its latest
/// attempt.
pub async fn history(db: impl PgExecutor<'_>) -> Result<Vec<Minute>> {
    let rows = sqlx::query!(
        r#"WITH lately AS (
               SELECT state, queued_at, started_at, finished_at FROM jobs
               WHERE finished_at >= date_trunc('minute', now()) - interval '59 minutes'
               UNION ALL
               SELECT state, queued_at, started_at, finished_at FROM jobs
               WHERE id IN (SELECT job_id FROM attempts WHERE attempts.state = 'running') AND state = 'running'
           ), started AS (
               SELECT date_trunc('minute', started_at) AS minute, count(*) AS jobs,
                      percentile_cont(0.5) WITHIN GROUP (
                          ORDER BY 1000 * extract(epoch FROM greatest(started_at - queued_at, interval '0'))::float8
                      ) AS wait_ms
               FROM lately WHERE started_at IS NOT NULL GROUP BY 1
           ), ended AS (
               SELECT date_trunc('minute', finished_at) AS minute,
                      count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
                      count(*) FILTER (WHERE state = 'failed') AS failed
               FROM lately WHERE finished_at IS NOT NULL GROUP BY 1
           )
           SELECT minute AS "minute!", coalesce(started.jobs, 0) AS "started!",
                  coalesce(ended.succeeded, 0) AS "succeeded!", coalesce(ended.failed, 0) AS "failed!",
                  started.wait_ms AS "wait_ms?"
           FROM generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()),
                                interval '1 minute') AS minute
           LEFT JOIN started USING (minute) LEFT JOIN ended USING (minute)
           ORDER BY minute"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Minute {
            at: row.minute.timestamp_millis(),
            started: unsigned(row.started),
            succeeded: unsigned(row.succeeded),
            failed: unsigned(row.failed),
            wait_ms: row.wait_ms.map(|wait| wait as u64),
        })
        .collect())
}
