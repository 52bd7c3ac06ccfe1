//! What is killed, stopped, emptied or forgotten, and goes on all the same.

use app::model::{AttemptState, JobId, JobState, Kind, Stream};
use redis::AsyncCommands;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{App, OwnPostgres, OwnRedis, assert_gapless, is_alive, lines_of, texts, until};

/// Leases that run out while a test waits.
const SHORT_LEASE: (&str, &str) = ("MILLRACE_QUEUE__LEASE_SECONDS", "2");

/// A script whose first attempt never ends by itself.
const HANGS_ONCE: &str = "echo pid $$; seq 1000; if [ $MILLRACE_ATTEMPT = 1 ]; then echo hangs; while true; do sleep 0.1; done; fi; echo end";

async fn pid(app: &App, id: JobId) -> u32 {
    app.output_of(id, 1).await.iter().find_map(|line| line.line.strip_prefix("pid ")?.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_job_whose_runner_was_killed_is_finished_by_another_and_no_line_is_lost() {
    let app = App::with(&[SHORT_LEASE]).await;
    let mut first = app.runner_process(&[]);
    let id = app.submit(HANGS_ONCE).await;
    app.wait_for_line(id, "hangs").await;
    let seen = app.output(id).await;
    let shell = pid(&app, id).await;
    let viewer = app.stream(id).await;

    first.kill();
    let second = app.runner().await;
    let job = app.wait_until(id, JobState::Succeeded).await;

    assert_eq!(job.attempt, 2);
    let attempts = app.attempts(id).await;
    assert_eq!((attempts[0].state, attempts[1].state), (AttemptState::Lost, AttemptState::Succeeded));
    assert_eq!(attempts[1].runner, second.name);
    assert!(attempts[0].error.as_ref().unwrap().starts_with("The runner was lost"), "{attempts:?}");
    let lost = app.output_of(id, 1).await;
    assert_eq!(lost, seen, "what was printed before is all there");
    assert_eq!(attempts[0].lines, Some(lost.len() as u64));
    let rest = app.output_of(id, 2).await;
    assert_gapless(&rest, 1);
    assert_eq!(texts(&rest, Stream::Stdout).last(), Some(&"end"));
    let watched = viewer.rest().await;
    assert_eq!(lines_of(&watched), lost, "whoever watched the lost attempt saw all of it");
    assert_eq!(watched.last().unwrap().name, "done");
    app.empty_redis().await;
    assert_eq!(app.output_of(id, 1).await, lost, "it is in the archive too");
    until("the dead runner's shell is gone", async || !is_alive(shell)).await;
    let left = std::fs::read_dir(app.path().join("data/attempts")).unwrap().count();
    assert_eq!(left, 1, "the dead runner's directory was removed, the second one's is there");
}

#[tokio::test]
async fn a_job_that_kills_its_runner_three_times_is_parked_as_poison_and_the_others_go_on() {
    let app = App::with(&[SHORT_LEASE]).await;
    // A lost runner is not the job's failure, so it is tried again although it may fail only once.
    let script = "if [ -e poison ]; then true; fi; echo poison; while true; do sleep 0.1; done";
    let id = app.submit_with(json!({ "script": script, "max_attempts": 1 })).await;
    for attempt in 1..=3 {
        let mut runner = app.runner_process(&[]);
        until("the next attempt prints", async || {
            let job = app.job(id).await.job;
            job.attempt == attempt && app.output(id).await.iter().any(|line| line.line == "poison")
        })
        .await;
        runner.kill();
    }

    let job = app.wait_until(id, JobState::Failed).await;

    assert!(job.error.as_ref().unwrap().starts_with("poison: the runner died 3 times"), "{:?}", job.error);
    let states: Vec<AttemptState> = app.attempts(id).await.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Lost; 3]);
    let _runner = app.runner().await;
    assert_eq!(app.run("true").await.job.state, JobState::Succeeded);
}

#[tokio::test]
async fn a_job_that_was_to_be_canceled_when_its_runner_died_does_not_run_again() {
    let app = App::with(&[SHORT_LEASE]).await;
    let mut runner = app.runner_process(&[]);
    let id = app.submit(HANGS_ONCE).await;
    app.wait_for_line(id, "hangs").await;
    // Stopped, so that it cannot hear of the request.
    runner.signal(Signal::STOP);
    app.cancel(id).await;
    runner.kill();

    let job = app.wait_until(id, JobState::Canceled).await;

    assert_eq!(job.attempt, 1);
}

#[tokio::test]
async fn a_runner_that_slept_past_its_lease_writes_nothing_when_it_wakes() {
    let app = App::with(&[SHORT_LEASE]).await;
    let sleeper = app.runner_process(&[]);
    // The first attempt goes on printing while nobody reads.
    let id = app
        .submit("echo pid $$; if [ $MILLRACE_ATTEMPT = 1 ]; then while true; do echo again; sleep 0.01; done; fi; echo end")
        .await;
    app.wait_for_line(id, "again").await;
    let shell = pid(&app, id).await;
    sleeper.signal(Signal::STOP);

    let other = app.runner().await;
    app.wait_until(id, JobState::Succeeded).await;
    let state = async || {
        (
            app.output_of(id, 1).await,
            app.output_of(id, 2).await,
            app.job(id).await.job,
            app.attempts(id).await,
        )
    };
    let before = state().await;
    sleeper.signal(Signal::CONT);
    // It has stopped its child when it has understood.
    until("the sleeper's script is stopped", async || !is_alive(shell)).await;
    other.stop().await;
    let next = app.run("echo still here").await.job;

    assert_eq!(next.state, JobState::Succeeded, "the sleeper goes on working");
    assert_eq!(before, state().await);
    assert_eq!(before.3[0].lines, Some(before.0.len() as u64));
    assert_gapless(&before.0, 1);
}

#[tokio::test]
async fn jobs_that_redis_has_forgotten_run_all_the_same() {
    let app = App::start().await;
    let mut jobs = Vec::new();
    for priority in ["low", "normal", "normal", "high"] {
        jobs.push(app.submit_with(json!({ "priority": priority })).await);
    }

    app.empty_redis().await;
    let _runner = app.runner().await;

    for id in jobs {
        assert_eq!(app.wait_until(id, JobState::Succeeded).await.attempt, 1);
    }
}

#[tokio::test]
async fn a_job_that_was_never_pushed_is_pushed() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let waiting = app.submit("true").await;
    app.wait_until(waiting, JobState::Succeeded).await;
    // As if the server had died between the insert and the push.
    let id = JobId::new();
    sqlx::query(
        "WITH request AS (INSERT INTO job_requests (job_id, script) VALUES ($1, 'true'))
         INSERT INTO jobs (id, kind, state, priority, max_attempts, title, repository, trigger, queued_at)
         VALUES ($1, 'command', 'queued', 2, 3, 'true', $2, 'api', now())",
    )
    .bind(id.as_uuid())
    .bind(app.repo.address())
    .execute(app.db())
    .await
    .unwrap();

    app.wait_until(id, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_slot_that_nobody_uses_is_freed() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let active = app.queue().keys().active(Kind::Command);
    let leaked = JobId::new().to_string();
    let _: () = app.queue().connection().sadd(&active, &leaked).await.unwrap();

    let _runner = app.runner().await;
    let job = app.run("true").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    let held: Vec<String> = app.queue().connection().smembers(&active).await.unwrap();
    assert!(!held.contains(&leaked));
}

#[tokio::test]
async fn a_running_job_keeps_its_slot_when_redis_forgets_it() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let _runner = app.runner().await;
    let gate = app.gate("end");
    let id = app.submit(&gate.wait()).await;
    app.wait_until(id, JobState::Running).await;

    app.empty_redis().await;

    until("the slot is held again", async || {
        let held: Vec<String> =
            app.queue().connection().smembers(app.queue().keys().active(Kind::Command)).await.unwrap();
        held == [id.to_string()]
    })
    .await;
    gate.open();
    app.wait_until(id, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_runner_that_is_stopped_gives_its_job_back_and_no_attempt_is_used_up() {
    let app = App::start().await;
    let mut first = app.runner_process(&[]);
    let id = app.submit_with(json!({ "script": HANGS_ONCE, "max_attempts": 1 })).await;
    app.wait_for_line(id, "hangs").await;
    let seen = app.output(id).await;
    let shell = pid(&app, id).await;

    assert!(first.stop().await.success(), "{}", first.log());

    let job = app.job(id).await;
    assert_eq!(job.job.state, JobState::Queued);
    assert_eq!(job.attempts[0].state, AttemptState::Lost);
    assert_eq!(job.attempts[0].error.as_deref(), Some("The runner was stopped and gave the job back."));
    assert!(!is_alive(shell));
    let _second = app.runner().await;
    let job = app.wait_until(id, JobState::Succeeded).await;
    assert_eq!(job.attempt, 2);
    let lost = app.output_of(id, 1).await;
    assert_eq!(lost[..seen.len()], seen);
    assert_eq!(lost.last().unwrap().line, "Stopped.");
}

#[tokio::test]
async fn a_viewer_goes_on_after_the_server_was_killed_and_started_again() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let port = app.free_port().await;
    let (mut server, address) = app.server_process(port).await;
    let (middle, end) = (app.gate("middle"), app.gate("end"));
    let id =
        app.submit(&format!("seq 500\n{}\nseq 501 1000\n{}\nseq 1001 1500", middle.wait(), end.wait())).await;
    let watch = async |seen: u64| {
        let request = app.http.get(format!("http://{address}/api/jobs/{id}/stream"));
        let request = request.bearer_auth(secrecy::ExposeSecret::expose_secret(&app.token));
        app.open(request.header("last-event-id", seen.to_string())).await
    };
    let mut lines = watch(0).await.take_lines(300).await;

    server.kill();
    middle.open();
    app.wait_for_line(id, "1000").await;
    let (_server, _) = app.server_process(port).await;
    let mut stream = watch(lines.last().unwrap().seq).await;
    lines.extend(stream.take_lines(400).await);
    end.open();
    let events = stream.rest().await;
    lines.extend(lines_of(&events));

    assert_eq!(events.last().unwrap().name, "done");
    assert_eq!(lines, app.output(id).await);
    assert_eq!(texts(&lines, Stream::Stdout).len(), 1500);
}

#[tokio::test]
async fn a_job_that_redis_could_not_be_told_of_is_accepted_and_runs_later() {
    let mut redis = OwnRedis::start();
    let app = App::with(&[("MILLRACE_REDIS__URL", redis.url())]).await;
    redis.stop();

    let id = app.submit("echo hello").await;
    assert_eq!(app.job(id).await.job.state, JobState::Queued);
    redis.start_again();
    let _runner = app.runner().await;

    app.wait_until(id, JobState::Succeeded).await;
    assert_eq!(app.stdout(id).await, ["hello"]);
}

#[tokio::test]
async fn a_postgres_that_is_away_for_a_while_loses_nothing() {
    let mut postgres = OwnPostgres::start().await;
    let app = App::with(&[("MILLRACE_DATABASE__URL", postgres.url())]).await;
    let _runner = app.runner().await;
    let (away, back) = (app.gate("away"), app.gate("back"));
    let id =
        app.submit(&format!("seq 100\n{}\nseq 101 200\n{}\nseq 201 300", away.wait(), back.wait())).await;
    app.wait_for_line(id, "100").await;
    let mut viewer = app.stream(id).await;
    let mut lines = viewer.take_lines(102).await;

    postgres.stop();
    away.open();
    // Redis carries the lines alone.
    lines.extend(viewer.take_lines(100).await);
    let refused = app.post_json("/api/jobs", &app.new_job(json!({}))).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    postgres.start_again();
    back.open();
    let job = app.wait_until(id, JobState::Succeeded).await;

    assert_eq!(job.attempt, 1);
    lines.extend(lines_of(&viewer.rest().await));
    assert_eq!(lines, app.output(id).await);
    assert_eq!(texts(&lines, Stream::Stdout).len(), 300);
}

#[tokio::test]
async fn a_job_prints_on_while_postgres_is_away_and_its_lines_wait_on_the_disk() {
    let mut postgres = OwnPostgres::start().await;
    let app = App::with(&[("MILLRACE_DATABASE__URL", postgres.url())]).await;
    let _runner = app.runner().await;
    let (away, printed) = (app.gate("away"), app.path().join("printed"));
    let script = format!("echo begins\n{}\nseq 200000\ntouch '{}'", away.wait(), printed.display());
    let id = app.submit(&script).await;
    app.wait_for_line(id, "begins").await;

    postgres.stop();
    away.open();
    // Ten times what a runner holds in memory.
    until("the job has printed everything", async || printed.exists()).await;
    postgres.start_again();

    app.wait_until(id, JobState::Succeeded).await;
    let lines = app.output(id).await;
    assert_gapless(&lines, 1);
    assert_eq!(texts(&lines, Stream::Stdout).last(), Some(&"200000"));
}
