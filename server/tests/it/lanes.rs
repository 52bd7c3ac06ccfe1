//! Lanes: pauses, rates, turns, and what is removed from them.

use app::model::{JobId, JobState, Kind, Priority, Role, Timestamp, WaitReason, Waiting};
use chrono::Utc;
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, until};

async fn pause(app: &App, body: Value) -> reqwest::Response {
    app.post_json("/api/lanes/command/pause", &body).await
}

async fn waiting(app: &App, id: JobId) -> Waiting {
    app.job(id).await.waiting.expect("the job waits")
}

#[tokio::test]
async fn a_paused_lane_starts_nothing_until_it_is_resumed_and_says_why() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let paused = pause(&app, json!({ "reason": "the disk is full" })).await;
    assert_eq!(paused.status(), 200);
    let pause = paused.json::<Value>().await.unwrap()["pause"].clone();
    assert_eq!((pause["reason"].as_str(), pause["by"].as_str()), (Some("the disk is full"), Some("owner")));

    let id = app.submit("true").await;
    let why = waiting(&app, id).await;
    assert_eq!(why.reasons[0], WaitReason::Paused { why: "the disk is full".into(), until: None });
    assert_eq!((why.position, why.estimate_ms), (Some(0), None));
    // Another look at the queue by the runner, and a Redis that has forgotten it, change nothing.
    app.empty_redis().await;
    until("Redis knows the lane again", async || app.queue().is_open(Kind::Command).await.unwrap()).await;
    app.queue().ring_door(Kind::Command).await.unwrap();
    assert_eq!(app.job(id).await.job.state, JobState::Queued);

    assert_eq!(app.post("/api/lanes/command/resume").await.status(), 200);
    app.wait_until(id, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_pause_ends_by_itself_at_its_time() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let until = Utc::now().timestamp_millis() + 1500;
    assert_eq!(pause(&app, json!({ "reason": "a moment", "until": until })).await.status(), 200);
    let id = app.submit("true").await;

    let job = app.wait_until(id, JobState::Succeeded).await;

    assert!(job.started_at.unwrap() >= Timestamp(until - 50), "it started after the pause");
    crate::harness::until("nobody sees a pause any more", async || app.commands().await["pause"].is_null())
        .await;
}

#[tokio::test]
async fn a_lane_starts_no_more_within_a_minute_than_its_rate_even_when_redis_is_emptied() {
    let app = App::with(&[("MILLRACE_QUEUE__RATE_PER_MINUTE", "2")]).await;
    let _runner = app.runner().await;
    let (first, second) = (app.submit("true").await, app.submit("true").await);
    app.wait_until(first, JobState::Succeeded).await;
    app.wait_until(second, JobState::Succeeded).await;

    let third = app.submit("true").await;
    until("the rate holds it back", async || {
        let reasons = waiting(&app, third).await.reasons;
        reasons.iter().any(|reason| matches!(reason, WaitReason::Rate { per_minute: 2, .. }))
    })
    .await;
    app.empty_redis().await;
    until("Redis knows the starts again", async || {
        app.queue().depth(Kind::Command).await.unwrap().started == 2
            && app.queue().is_open(Kind::Command).await.unwrap()
    })
    .await;

    app.queue().ring_door(Kind::Command).await.unwrap();
    assert_eq!(app.job(third).await.job.state, JobState::Queued);
    let lane = app.commands().await;
    assert_eq!((lane["rate"].as_u64(), lane["started"].as_u64()), (Some(2), Some(2)));
}

#[tokio::test]
async fn low_jobs_get_a_turn_while_critical_ones_keep_coming() {
    let app =
        App::with(&[("MILLRACE_QUEUE__AGEING_SECONDS", "1"), ("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let low = app.submit_with(json!({ "priority": "low" })).await;
    let mut critical = Vec::new();
    for _ in 0..60 {
        critical.push(app.submit_with(json!({ "priority": "critical", "script": "sleep 0.1" })).await);
    }

    let _runner = app.runner().await;
    app.wait_until(low, JobState::Succeeded).await;

    let last = app.job(*critical.last().unwrap()).await.job;
    assert_eq!(last.state, JobState::Queued, "it did not have to wait for all critical ones");
}

#[tokio::test]
async fn where_starts_are_rare_the_urgent_and_the_overdue_take_turns() {
    let app =
        App::with(&[("MILLRACE_QUEUE__AGEING_SECONDS", "1"), ("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let order = app.path().join("order");
    let mut jobs = Vec::new();
    for priority in ["low", "low", "critical", "critical"] {
        let script = format!("echo {priority} >> '{}'; sleep 1.2", order.display());
        jobs.push(app.submit_with(json!({ "priority": priority, "script": script })).await);
    }

    let _runner = app.runner().await;
    for id in jobs {
        app.wait_until(id, JobState::Succeeded).await;
    }

    let order = std::fs::read_to_string(order).unwrap();
    let order: Vec<&str> = order.lines().collect();
    assert!(order.windows(2).all(|pair| pair != ["low", "low"]), "the urgent come between: {order:?}");
}

#[tokio::test]
async fn who_asks_for_much_does_not_keep_others_waiting() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let order = app.path().join("order");
    let script = |name: &str| format!("echo {name} >> '{}'", order.display());
    let busy = app.token_of("busy", Role::Member).await;
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(app.submit_as(&busy, json!({ "script": script("busy") })).await);
    }
    let calm = app.token_of("calm", Role::Member).await;
    jobs.push(app.submit_as(&calm, json!({ "script": script("calm") })).await);
    assert_eq!(waiting(&app, *jobs.last().unwrap()).await.position, Some(2));

    let _runner = app.runner().await;
    for id in jobs {
        app.wait_until(id, JobState::Succeeded).await;
    }

    let order = std::fs::read_to_string(order).unwrap();
    let place = order.lines().position(|name| name == "calm").unwrap();
    assert!(place <= 3, "calm's job came at place {place}");
}

#[tokio::test]
async fn a_repository_of_which_much_is_asked_does_not_keep_others_waiting() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let order = app.path().join("order");
    let script = |name: &str| format!("echo {name} >> '{}'", order.display());
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(app.submit(&script("busy")).await);
    }
    let calm = app.empty_repo("calm");
    calm.commit("README", "calm");
    jobs.push(app.submit_with(json!({ "script": script("calm"), "repository": calm.address() })).await);

    let _runner = app.runner().await;
    for id in jobs {
        app.wait_until(id, JobState::Succeeded).await;
    }

    let order = std::fs::read_to_string(order).unwrap();
    let place = order.lines().position(|name| name == "calm").unwrap();
    assert!(place <= 3, "calm's job came at place {place}");
}

#[tokio::test]
async fn a_job_says_what_it_waits_for() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "1")]).await;
    let gate = app.gate("first");
    let first = app.submit(&gate.wait()).await;
    assert_eq!(waiting(&app, first).await.reasons, [WaitReason::NoRunner]);

    let _runner = app.runner().await;
    app.wait_until(first, JobState::Running).await;
    let (_second, third) = (app.submit("true").await, app.submit("true").await);
    let why = waiting(&app, third).await;
    assert_eq!(why.reasons, [WaitReason::Concurrency { limit: 1 }, WaitReason::EarlierJobs { count: 1 }]);
    assert_eq!(why.position, Some(1));

    let at = Utc::now().timestamp_millis() + 3_600_000;
    let later = app.submit_with(json!({ "run_at": at })).await;
    assert_eq!(waiting(&app, later).await.reasons, [WaitReason::RunAt { at: Timestamp(at) }]);
    gate.open();
    app.wait_until(third, JobState::Succeeded).await;
    assert_eq!(app.job(third).await.waiting, None);
    assert!(app.job(third).await.usual_ms.is_some());
}

#[tokio::test]
async fn a_lane_has_limits_of_its_own() {
    let app = App::with(&[
        ("MILLRACE_QUEUE__LANES__COMMAND__CONCURRENCY", "1"),
        ("MILLRACE_QUEUE__LANES__AGENT__RATE", "7"),
    ])
    .await;
    let lanes = app.get_json("/api/lanes").await;
    let limits = |kind: &str| {
        let lane = lanes.as_array().unwrap().iter().find(|lane| lane["kind"] == kind).unwrap();
        (lane["concurrency"].as_u64(), lane["rate"].as_u64())
    };
    assert_eq!((limits("command"), limits("agent")), ((Some(1), None), (Some(5), Some(7))));
    let _runner = app.runner().await;
    let gate = app.gate("first");
    let first = app.submit(&gate.wait()).await;
    app.wait_until(first, JobState::Running).await;

    let second = app.submit("true").await;

    let why = waiting(&app, second).await;
    assert_eq!(why.reasons, [WaitReason::Concurrency { limit: 1 }]);
    gate.open();
    app.wait_until(second, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_deleted_job_is_gone_with_all_that_belongs_to_it() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id = app.run("echo printed").await.job.id;
    let path = format!("/api/jobs/{id}");

    assert_eq!(app.request(Method::DELETE, &path).send().await.unwrap().status(), 204);

    assert_eq!(app.get(&path).await.status(), 404);
    assert_eq!(app.request(Method::DELETE, &path).send().await.unwrap().status(), 404);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM job_output").fetch_one(app.db()).await.unwrap();
    let live: bool = app.queue().connection().exists(app.queue().keys().output(id, 1)).await.unwrap();
    assert_eq!((left, live), (0, false));
}

#[tokio::test]
async fn a_running_job_is_not_deleted() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("end");
    let id = app.submit(&gate.wait()).await;
    app.wait_until(id, JobState::Running).await;

    let refused = app.request(Method::DELETE, &format!("/api/jobs/{id}")).send().await.unwrap();

    assert_eq!(refused.status(), 409);
    gate.open();
    app.wait_until(id, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_clean_up_shows_first_what_goes_and_takes_only_that() {
    let app = App::start().await;
    let runner = app.runner().await;
    let succeeded = app.run("echo one").await.job.id;
    let failed = app.run("exit 1").await.job.id;
    runner.stop().await;
    let queued = app.submit("true").await;
    let parked = app.submit_with(json!({ "run_at": Utc::now().timestamp_millis() + 3_600_000 })).await;
    sqlx::query("UPDATE jobs SET state = 'parked' WHERE id = $1")
        .bind(parked.as_uuid())
        .execute(app.db())
        .await
        .unwrap();
    let clean = async |body: Value| app.post_json("/api/lanes/command/clean", &body).await;

    let preview = clean(json!({ "state": "succeeded", "older_than": 0, "dry_run": true })).await;
    let preview: Value = preview.json().await.unwrap();
    assert_eq!(
        (preview["jobs"].as_u64(), preview["examples"][0]["id"].as_str()),
        (Some(1), Some(&*succeeded.to_string()))
    );
    assert!(preview["lines"].as_u64().unwrap() > 1);
    assert_eq!(app.job(succeeded).await.job.state, JobState::Succeeded);
    let none: Value = clean(json!({ "state": "succeeded", "older_than": 3600 })).await.json().await.unwrap();
    assert_eq!(none["jobs"], 0);

    for state in ["succeeded", "queued", "parked"] {
        let cleaned: Value = clean(json!({ "state": state, "older_than": 0 })).await.json().await.unwrap();
        assert_eq!(cleaned["jobs"], 1, "{state}");
    }

    for gone in [succeeded, queued, parked] {
        assert_eq!(app.get(&format!("/api/jobs/{gone}")).await.status(), 404);
    }
    assert_eq!(app.job(failed).await.job.state, JobState::Failed);
    assert_eq!(app.queue().waiting_count(Kind::Command).await.unwrap(), 0);
}

#[tokio::test]
async fn what_no_lane_can_do_is_refused_with_the_reason() {
    let app = App::start().await;
    for (path, body, status, field) in [
        ("/api/lanes/dance/pause", json!({ "reason": "x" }), 404, None),
        ("/api/lanes/command/pause", json!({}), 422, Some("reason")),
        ("/api/lanes/command/pause", json!({ "reason": "x", "until": 1 }), 422, Some("until")),
        ("/api/lanes/command/clean", json!({ "state": "running", "older_than": 0 }), 422, Some("state")),
        ("/api/lanes/command/clean", json!({ "state": "lost", "older_than": 0 }), 422, Some("state")),
        ("/api/lanes/command/clean", json!({ "state": "failed", "older_than": -1 }), 422, Some("older_than")),
        (
            "/api/lanes/command/clean",
            json!({ "state": "failed", "older_than": i64::MAX }),
            422,
            Some("older_than"),
        ),
    ] {
        let response = app.post_json(path, &body).await;
        assert_eq!(response.status(), status, "{path} {body}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["field"].as_str(), field, "{problem}");
    }
}

#[tokio::test]
async fn members_do_not_manage_lanes() {
    let app = App::start().await;
    let member = app.token_of("member", Role::Member).await;
    for (path, body) in [
        ("/api/lanes/command/pause", json!({ "reason": "x" })),
        ("/api/lanes/command/resume", json!({})),
        ("/api/lanes/command/clean", json!({ "state": "failed", "older_than": 0 })),
    ] {
        assert_eq!(app.post_as(&member, path, &body).await.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn depth_is_told_by_priority() {
    let app = App::start().await;
    for priority in ["low", "low", "critical"] {
        app.submit_with(json!({ "priority": priority })).await;
    }
    let depth = app.queue().depth(Kind::Command).await.unwrap();
    let of = |wanted| depth.waiting.iter().find(|(priority, _)| *priority == wanted).unwrap().1;
    assert_eq!((of(Priority::Low), of(Priority::Critical), of(Priority::Normal)), (2, 1, 0));
}
