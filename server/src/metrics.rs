//! What Prometheus can ask of a process: counters and times are noted here where they happen, the rest is looked up when
//! somebody asks.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use anyhow::Context as _;
use app::model::{JobState, Kind};
use chrono::Utc;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    db::{self, OwnedJob, transitions::Verdict},
    lifecycle::Lifecycle,
};

/// Upper bounds in seconds: of what should take milliseconds, of what does so unless it has to wait, and of what may take
/// hours.
const SHORT: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const WIDE: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0, 3600.0, 43_200.0];
const LONG: [f64; 12] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 43_200.0];
/// How often samples are put into their buckets; without it they would pile up where nobody asks.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

const CLAIM: &str = "millrace_claim_seconds";
const ATTEMPT: &str = "millrace_attempt_seconds";
const LINES: &str = "millrace_lines_total";
const VIEWERS: &str = "millrace_stream_viewers";
const REQUEST: &str = "millrace_http_request_seconds";
const JOBS: &str = "millrace_jobs";
const RUNNERS: &str = "millrace_runners";
const POOL: &str = "millrace_postgres_connections";
const UP: &str = "millrace_up";
const PING: &str = "millrace_redis_ping_seconds";

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count, once for each process. What was noted before is lost.
pub fn start() -> anyhow::Result<()> {
    if RECORDER.get().is_some() {
        return Ok(());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(CLAIM.to_owned()), &WIDE)?
        .set_buckets_for_metric(Matcher::Full(ATTEMPT.to_owned()), &LONG)?
        .set_buckets_for_metric(Matcher::Full(REQUEST.to_owned()), &SHORT)?
        .build_recorder();
    let handle = recorder.handle();
    if RECORDER.set(handle.clone()).is_err() {
        return Ok(());
    }
    ::metrics::set_global_recorder(recorder).context("another recorder of metrics runs already")?;
    describe_histogram!(CLAIM, "From the queue to the start of an attempt.");
    describe_histogram!(ATTEMPT, "How long attempts took.");
    describe_counter!(LINES, "Lines of output that jobs printed.");
    describe_gauge!(VIEWERS, "Open live streams.");
    describe_histogram!(REQUEST, "Requests until the answer began.");
    describe_gauge!(JOBS, "Jobs that have not ended, and those that ended in the last 24 hours.");
    describe_gauge!(RUNNERS, "Runners that were heard of in the last seconds.");
    describe_gauge!(POOL, "Connections of this process to Postgres.");
    describe_gauge!(UP, "1 while it answers.");
    describe_gauge!(PING, "A round trip to Redis.");
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(UPKEEP_EVERY);
            handle.run_upkeep();
        }
    })?;
    Ok(())
}

/// Everything as Prometheus reads it.
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

pub fn started(jobs: &[OwnedJob]) {
    for OwnedJob { job, .. } in jobs {
        if let (Some(queued), Some(started)) = (job.queued_at, job.started_at) {
            histogram!(CLAIM, "lane" => job.kind.as_str()).record(seconds(started.millis_since(queued)));
        }
    }
}

/// `finished` are those of the verdicts' jobs whose attempts were this runner's.
pub fn finished(finished: &[OwnedJob], verdicts: &[Verdict]) {
    let now = app::model::Timestamp(Utc::now().timestamp_millis());
    for OwnedJob { job, .. } in finished {
        let verdict = verdicts.iter().find(|verdict| verdict.id == job.id);
        if let (Some(started), Some(verdict)) = (job.started_at, verdict) {
            let outcome = verdict.outcome.state.as_str();
            histogram!(ATTEMPT, "lane" => job.kind.as_str(), "outcome" => outcome)
                .record(seconds(now.millis_since(started)));
        }
    }
}

pub fn lines(count: usize) {
    counter!(LINES).increment(count as u64);
}

/// `route` is a pattern, never an address: there are only so many.
pub fn request(method: &str, route: &str, status: u16, took: Duration) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    histogram!(REQUEST, &labels).record(took);
}

/// An open stream; it is counted until the value goes.
pub struct Viewer(&'static str);

impl Viewer {
    pub fn of(stream: &'static str) -> Self {
        gauge!(VIEWERS, "stream" => stream).increment(1);
        Self(stream)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        gauge!(VIEWERS, "stream" => self.0).decrement(1);
    }
}

/// Looks up what nobody notes: connections, and whether Postgres and Redis answer. Returns whether Postgres does.
pub async fn look_at_connections(lifecycle: &Lifecycle) -> bool {
    let pool = lifecycle.db();
    gauge!(POOL, "state" => "idle").set(pool.num_idle() as f64);
    gauge!(POOL, "state" => "used").set(f64::from(pool.size()) - pool.num_idle() as f64);
    let asked = Instant::now();
    let (postgres, redis) = tokio::join!(db::ping(pool), async {
        let answer = lifecycle.queue().ping().await;
        gauge!(PING).set(asked.elapsed());
        answer
    });
    gauge!(UP, "of" => "postgres").set(f64::from(u8::from(postgres.is_ok())));
    gauge!(UP, "of" => "redis").set(f64::from(u8::from(redis.is_ok())));
    postgres.is_ok()
}

/// Looks up what all processes together do; each server can tell.
pub async fn look_at_jobs(lifecycle: &Lifecycle) -> sqlx::Result<()> {
    let counts = db::job_counts(lifecycle.db()).await?;
    for lane in Kind::ALL {
        for state in JobState::ALL {
            let count = counts.iter().find(|count| count.lane == *lane && count.state == *state);
            gauge!(JOBS, "lane" => lane.as_str(), "state" => state.as_str())
                .set(count.map_or(0.0, |count| count.jobs as f64));
        }
    }
    gauge!(RUNNERS).set(f64::from(db::runners::online(lifecycle.db()).await?));
    Ok(())
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
