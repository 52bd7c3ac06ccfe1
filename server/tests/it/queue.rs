//! Which job runs next, and how many at once.

use app::model::{AttemptState, JobId, JobState, Kind, Priority};
use redis::AsyncCommands;
use serde_json::json;

use crate::harness::{App, eventually, until};

#[tokio::test]
async fn the_more_urgent_goes_first_and_the_older_among_equals() {
    let app = App::start().await;
    let order = app.path().join("order");
    let mut jobs = Vec::new();
    for (priority, name) in
        [("low", "5"), ("normal", "3"), ("critical", "1"), ("normal", "4"), ("high", "2"), ("low", "6")]
    {
        let script = format!("echo {name} >> '{}'", order.display());
        jobs.push(app.submit_with(json!({ "priority": priority, "script": script })).await);
    }

    let _runner = app.runner_with(&[("MILLRACE_RUNNER__SLOTS", "1")]).await;
    for id in jobs {
        app.wait_until(id, JobState::Succeeded).await;
    }

    assert_eq!(std::fs::read_to_string(order).unwrap(), "1\n2\n3\n4\n5\n6\n");
}

#[tokio::test]
async fn a_lane_runs_no_more_than_its_concurrency_over_all_runners() {
    let app = App::with(&[("MILLRACE_QUEUE__CONCURRENCY", "2")]).await;
    let (_one, _two) = (app.runner().await, app.runner().await);
    let gate = app.gate("all");
    let running = app.path().join("running");
    std::fs::create_dir(&running).unwrap();
    let script = format!(
        "cd '{}'; touch $MILLRACE_JOB; {}; for i in 1 2 3; do ls | wc -l; sleep 0.02; done; rm $MILLRACE_JOB",
        running.display(),
        gate.wait()
    );
    let mut jobs = Vec::new();
    for _ in 0..6 {
        jobs.push(app.submit(&script).await);
    }
    until("two run", async || std::fs::read_dir(&running).unwrap().count() == 2).await;
    let lane = app.commands().await;
    let expected = json!({
        "kind": "command", "concurrency": 2, "started": 0, "running": 2, "waiting": 4, "scheduled": 0,
        "depth": [{ "priority": "normal", "waiting": 4 }],
    });
    assert_eq!(lane, expected);

    gate.open();

    for id in jobs {
        app.wait_until(id, JobState::Succeeded).await;
        for count in app.stdout(id).await {
            assert!(["1", "2"].contains(&count.trim()), "{count} ran at once");
        }
    }
}

#[tokio::test]
async fn a_runner_takes_no_more_than_its_slots() {
    let app = App::start().await;
    let _runner = app.runner_with(&[("MILLRACE_RUNNER__SLOTS", "1")]).await;
    let gate = app.gate("first");
    let first = app.submit(&gate.wait()).await;
    app.wait_until(first, JobState::Running).await;

    let second = app.submit("true").await;
    // A third job that another runner takes shows that the second had its chance.
    let runner = app.runner_with(&[("MILLRACE_RUNNER__SLOTS", "1")]).await;
    app.wait_until(second, JobState::Succeeded).await;

    assert_eq!(app.attempts(second).await[0].runner, runner.name);
    gate.open();
    app.wait_until(first, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_job_that_was_canceled_while_it_waited_never_runs() {
    let app = App::start().await;
    let canceled = app.submit("true").await;

    assert_eq!(app.cancel(canceled).await.status(), 200);
    assert_eq!(app.job(canceled).await.job.state, JobState::Canceled);
    assert_eq!(waiting(&app).await, 0, "it is taken out of the queue");

    // Even an id that was left in the queue does not run.
    push_by_hand(&app, &canceled.to_string()).await;
    let _runner = app.runner().await;
    let next = app.submit("true").await;
    app.wait_until(next, JobState::Succeeded).await;
    until("nothing waits", async || waiting(&app).await == 0).await;

    let job = app.job(canceled).await;
    assert_eq!(job.job.state, JobState::Canceled);
    assert!(job.attempts.is_empty());
    no_slot_is_held(&app).await;
}

#[tokio::test]
async fn an_id_that_is_delivered_twice_runs_once() {
    let app = App::start().await;
    let runs = app.path().join("runs");
    let id = app.submit(&format!("echo run >> '{}'", runs.display())).await;
    push_by_hand(&app, &id.to_string()).await;
    push_by_hand(&app, &id.to_string()).await;

    let (_one, _two) = (app.runner().await, app.runner().await);
    app.wait_until(id, JobState::Succeeded).await;
    push_by_hand(&app, &id.to_string()).await;
    let last = app.run("true").await.job;

    assert_eq!(last.state, JobState::Succeeded);
    until("nothing waits", async || waiting(&app).await == 0).await;
    assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
    let attempts = app.attempts(id).await;
    assert_eq!(attempts.iter().map(|attempt| attempt.state).collect::<Vec<_>>(), [AttemptState::Succeeded]);
    no_slot_is_held(&app).await;
}

#[tokio::test]
async fn what_is_no_job_in_a_list_is_passed_over() {
    let app = App::start().await;
    for stranger in ["nonsense", &JobId::new().to_string()] {
        push_by_hand(&app, stranger).await;
    }

    let _runner = app.runner().await;
    let job = app.run("true").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    no_slot_is_held(&app).await;
}

async fn waiting(app: &App) -> u64 {
    app.queue().waiting_count(Kind::Command).await.unwrap()
}

/// Puts an id into the queue past all checks, and rings.
async fn push_by_hand(app: &App, id: &str) {
    let (mut redis, keys) = (app.queue().connection(), app.queue().keys());
    let _: () = redis.sadd(keys.waiting(Kind::Command, Priority::Normal), id).await.unwrap();
    let ring = format!("{}:people", keys.queue(Kind::Command, Priority::Normal));
    let _: () = redis.rpush(format!("{ring}:hand"), id).await.unwrap();
    let _: () = redis.rpush(ring, "hand").await.unwrap();
    let _: () = redis.rpush(keys.doorbell(Kind::Command), "1").await.unwrap();
}

async fn no_slot_is_held(app: &App) {
    eventually("no slot is held", async || {
        let held: Vec<String> =
            app.queue().connection().smembers(app.queue().keys().active(Kind::Command)).await.unwrap();
        held.is_empty().then_some(())
    })
    .await;
}
