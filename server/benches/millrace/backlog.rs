//! What a long queue costs: memory in Redis, the next start, the board.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use app::{
    backend::Backend as _,
    model::{JobFilter, Kind, Role},
};
use millrace::{
    backend::Server,
    connection::Connection,
    db::{self, people},
    lifecycle::Lifecycle,
};

use crate::{
    histogram::Histogram,
    installation::Installation,
    noop::NoopRunner,
    report::{Report, Target},
};

const LENGTHS: [u32; 2] = [1_000, 1_000_000];
/// Jobs that are taken while the others wait.
const STARTS: u32 = 500;
const BOARDS: u32 = 30;

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let installation = Installation::start().await?;
    let config = installation.config(1)?;
    let lifecycle = installation.lifecycle(&config).await?;
    let person = people::find_or_create(lifecycle.db(), "bench", Role::Owner).await?;
    let connection = Connection::new(&config, lifecycle.db().clone(), lifecycle.queue())?;
    let server = Server::new(Arc::clone(&config), lifecycle.clone(), connection);
    let empty = redis_bytes(&lifecycle).await?;
    for length in LENGTHS {
        let name = |what: &str| format!("{length} queued, {what}");
        let present = queued(&lifecycle).await?;
        insert(&lifecycle, &person, length - present).await?;
        let begin = Instant::now();
        // The server's reconciler finds jobs that are in no list, as after Redis was emptied.
        while lifecycle.queue().waiting_count(Kind::Command).await? < u64::from(length) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let seconds = begin.elapsed().as_secs_f64();
        report.add("backlog", name("until Redis holds them"), seconds, "s", Target::Open);
        let bytes = redis_bytes(&lifecycle).await?.saturating_sub(empty);
        report.add("backlog", name("memory in Redis"), bytes as f64 / 1e6, "MB", Target::Open);

        let mut board = Histogram::default();
        for _ in 0..BOARDS {
            let begin = Instant::now();
            server.board(&person, &JobFilter::default()).await?;
            board.add(begin.elapsed());
        }
        report.add("backlog", name("board, p50"), board.percentile(50), "ms", Target::Open);
        report.add("backlog", name("board, p95"), board.percentile(95), "ms", Target::Open);

        let mut runner = NoopRunner::start(&installation, 1).await?;
        let mut between = Histogram::default();
        let mut last = None;
        for _ in 0..STARTS {
            let (_, now) = runner.started.recv().await.context("the runner has ended")?;
            if let Some(last) = last.replace(now) {
                between.add(now - last);
            }
        }
        runner.stop().await?;
        report.add("backlog", name("start to start, p50"), between.percentile(50), "ms", Target::Open);
        report.add("backlog", name("start to start, p95"), between.percentile(95), "ms", Target::Open);
    }
    Ok(())
}

async fn queued(lifecycle: &Lifecycle) -> anyhow::Result<u32> {
    Ok(db::lane_counts(lifecycle.db()).await?.iter().map(|count| count.queued).sum())
}

/// Past the queue, in one statement: a million requests are no part of what is measured.
async fn insert(lifecycle: &Lifecycle, person: &app::model::Person, jobs: u32) -> anyhow::Result<()> {
    sqlx::query(
        "WITH made AS (
             INSERT INTO jobs (id, kind, state, priority, max_attempts, title, repository, trigger, created_by,
                               requested_by, queued_at)
             SELECT gen_random_uuid(), 'command', 'queued', number % 4, 3, 'true',
                    'https://localhost/' || number % 100 || '.git', 'api', $2, 'bench', now()
             FROM generate_series(1, $1) AS number RETURNING id
         )
         INSERT INTO job_requests (job_id, script) SELECT id, 'true' FROM made",
    )
    .bind(i32::try_from(jobs)?)
    .bind(person.id.as_uuid())
    .execute(lifecycle.db())
    .await?;
    sqlx::query("ANALYZE jobs").execute(lifecycle.db()).await?;
    Ok(())
}

async fn redis_bytes(lifecycle: &Lifecycle) -> anyhow::Result<u64> {
    let info: String =
        redis::cmd("INFO").arg("memory").query_async(&mut lifecycle.queue().connection()).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("Redis does not say how much memory it uses")?.trim().parse()?)
}
