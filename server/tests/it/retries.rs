//! Attempts, delays, keys, and what a job says of itself.

use std::time::Duration;

use app::model::{AttemptState, JobState, Kind, Role, WaitReason};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use millrace::db::runners::{self, Draining};
use redis::AsyncCommands;
use serde_json::{Value, json};

use crate::harness::{App, until};

#[tokio::test]
async fn a_job_that_fails_is_tried_again_after_growing_pauses_and_keeps_each_attempt() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let fields =
        json!({ "script": "echo attempt $MILLRACE_ATTEMPT; exit 3", "max_attempts": 3, "backoff_ms": 200 });

    let detail = app.run_with(fields).await;

    let job = &detail.job;
    assert_eq!((job.state, job.attempt, job.exit_code), (JobState::Failed, 3, Some(3)));
    for (attempt, number) in detail.attempts.iter().zip(1..) {
        assert_eq!((attempt.state, attempt.exit_code), (AttemptState::Failed, Some(3)));
        let own = format!("attempt {number}");
        assert!(app.output_of(job.id, number).await.iter().any(|line| line.line == own));
    }
    // Give or take a quarter.
    let pause = |later: usize| {
        detail.attempts[later].started_at.millis_since(detail.attempts[later - 1].finished_at.unwrap())
    };
    assert!(pause(1) >= 150 && pause(2) >= 300, "{} and {} ms", pause(1), pause(2));
}

#[tokio::test]
async fn a_job_that_succeeds_at_last_has_succeeded() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let script = "test $MILLRACE_ATTEMPT = 2";
    let job = app.run_with(json!({ "script": script, "max_attempts": 3, "backoff_ms": 0 })).await.job;
    assert_eq!((job.state, job.attempt, job.error), (JobState::Succeeded, 2, None));
}

#[tokio::test]
async fn while_it_waits_to_be_tried_again_a_job_says_so_and_can_be_canceled() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id = app.submit_with(json!({ "script": "exit 1", "max_attempts": 2, "backoff_ms": 3_600_000 })).await;
    let job = app.wait_until(id, JobState::Scheduled).await;
    assert_eq!(job.error.as_deref(), Some("The script ended with exit code 1."));
    let waiting = app.job(id).await.waiting.unwrap();
    assert_eq!(waiting.reasons, [WaitReason::Retry { at: job.run_at.unwrap(), attempt: 2 }]);

    assert_eq!(app.cancel(id).await.status(), 200);

    let job = app.wait_until(id, JobState::Canceled).await;
    assert_eq!(job.attempt, 1);
}

#[tokio::test]
async fn what_would_fail_the_same_way_is_not_tried_again() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run_with(json!({ "ref": "no-such-branch", "max_attempts": 3 })).await.job;
    assert_eq!((job.state, job.attempt), (JobState::Failed, 1));
}

#[tokio::test]
async fn a_job_with_a_time_starts_then_and_not_before() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let at = Utc::now().timestamp_millis() + 1200;
    let id = app.submit_with(json!({ "run_at": at })).await;
    assert_eq!(app.job(id).await.job.state, JobState::Scheduled);

    let job = app.wait_until(id, JobState::Succeeded).await;

    assert!(job.started_at.unwrap().0 >= at);
}

#[tokio::test]
async fn a_time_in_the_past_is_now() {
    let app = App::start().await;
    let id = app.submit_with(json!({ "run_at": Utc::now().timestamp_millis() - 3_600_000 })).await;
    let job = app.job(id).await.job;
    assert_eq!((job.state, job.run_at), (JobState::Queued, None));
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_make_one_job() {
    let app = App::start().await;
    let body = app.new_job(json!({ "idempotency_key": "deploy-7" }));

    let answers = join_all((0..100).map(|_| app.post_json("/api/jobs", &body))).await;

    let mut ids = Vec::new();
    let mut made = 0;
    for answer in answers {
        made += usize::from(answer.status() == 201);
        assert!(answer.status().is_success(), "{}", answer.status());
        ids.push(answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!((made, ids.len()), (1, 1));
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(app.db()).await.unwrap();
    assert_eq!(jobs, 1);
}

#[tokio::test]
async fn a_key_for_another_request_is_refused() {
    let app = App::start().await;
    app.submit_with(json!({ "idempotency_key": "once", "script": "true" })).await;

    let other = app
        .post_json("/api/jobs", &app.new_job(json!({ "idempotency_key": "once", "script": "false" })))
        .await;

    assert_eq!(other.status(), 409);
    // Somebody else's key is another one.
    let member = app.token_of("member", Role::Member).await;
    app.submit_as(&member, json!({ "idempotency_key": "once", "script": "false" })).await;
}

#[tokio::test]
async fn a_list_of_jobs_is_taken_as_a_whole_or_not_at_all() {
    let app = App::start().await;
    let good = app.new_job(json!({}));
    let bad = app.new_job(json!({ "priority": "urgent" }));
    assert_eq!(app.post_json("/api/jobs", &json!([good, bad])).await.status(), 422);
    assert_eq!(app.post_json("/api/jobs", &json!([])).await.status(), 422);
    let none: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(app.db()).await.unwrap();
    assert_eq!(none, 0);

    let made = app.post_json("/api/jobs", &json!([good, good, good])).await;

    assert_eq!(made.status(), 201);
    assert_eq!(made.json::<Value>().await.unwrap()["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_job_tells_how_far_it_is() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("end");
    let id = app
        .submit(&format!(
            "echo '::millrace progress=40 stage=build::'\n{}\necho ::millrace progress=90::",
            gate.wait()
        ))
        .await;

    until("the job says how far it is", async || {
        let job = app.job(id).await.job;
        (job.progress, job.stage.as_deref()) == (Some(40), Some("build"))
    })
    .await;
    gate.open();

    let job = app.wait_until(id, JobState::Succeeded).await;
    assert_eq!((job.progress, job.stage), (None, None));
    assert!(app.stdout(id).await.contains(&"::millrace progress=90::".to_owned()), "the line itself stays");
}

#[tokio::test]
async fn a_runner_that_stops_lets_jobs_end_within_its_grace() {
    let app = App::start().await;
    let runner = app.runner_with(&[("MILLRACE_RUNNER__GRACE_SECONDS", "60")]).await;
    let gate = app.gate("end");
    let id = app.submit(&gate.wait()).await;
    app.wait_until(id, JobState::Running).await;

    let stopping = tokio::spawn(runner.stop());
    let waiting = app.submit("true").await;
    gate.open();
    stopping.await.unwrap();

    let job = app.job(id).await.job;
    assert_eq!((job.state, job.attempt), (JobState::Succeeded, 1));
    assert_eq!(app.job(waiting).await.job.state, JobState::Queued, "it takes nothing new");
}

#[tokio::test]
async fn a_second_signal_hurries_a_runner_which_gives_its_jobs_back() {
    let app = App::start().await;
    let mut runner = app.runner_process(&[("MILLRACE_RUNNER__GRACE_SECONDS", "600")]);
    let id =
        app.submit("if [ $MILLRACE_ATTEMPT = 1 ]; then echo runs; while true; do sleep 0.1; done; fi").await;
    app.wait_for_line(id, "runs").await;

    runner.signal(rustix::process::Signal::TERM);
    until("it says that it stops", async || runner.log().contains("stopping")).await;
    runner.signal(rustix::process::Signal::TERM);
    runner.ended().await;

    app.wait_until(id, JobState::Queued).await;
    let _other = app.runner().await;
    assert_eq!(app.wait_until(id, JobState::Succeeded).await.attempt, 2);
}

#[tokio::test]
async fn a_drained_runner_takes_nothing_until_it_may_again() {
    let app = App::with(&[("MILLRACE_QUEUE__LEASE_SECONDS", "2")]).await;
    let runner = app.runner().await;
    app.run("true").await;
    runners::set_draining(app.db(), &runner.name, Draining::Yes).await.unwrap();
    let asked = Utc::now();
    until("it has heard of it", async || {
        let seen: DateTime<Utc> =
            sqlx::query_scalar("SELECT last_seen_at FROM runners").fetch_one(app.db()).await.unwrap();
        seen > asked + TimeDelta::seconds(1)
    })
    .await;
    let id = app.submit("true").await;
    until("nobody takes it", async || {
        app.job(id).await.waiting.is_some_and(|waiting| waiting.reasons.contains(&WaitReason::Draining))
    })
    .await;
    assert_eq!(app.job(id).await.job.state, JobState::Queued);
    // A ring that nobody takes stays. It may still have been at the door when it heard that it is to take nothing.
    let rings = async || -> usize {
        let door = app.queue().keys().doorbell(Kind::Command);
        app.queue().connection().llen(door).await.unwrap()
    };
    until("a ring stays", async || {
        app.queue().ring_door(Kind::Command).await.unwrap();
        rings().await > 0
    })
    .await;
    for _ in 0..50 {
        assert!(rings().await > 0, "the rings are for others");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    runners::set_draining(app.db(), &runner.name, Draining::No).await.unwrap();

    app.wait_until(id, JobState::Succeeded).await;
}
