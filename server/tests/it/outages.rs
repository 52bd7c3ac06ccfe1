//! A Postgres that is away for a moment, at moments at which it is needed.

use app::model::JobState;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{App, OwnPostgres, until};

#[tokio::test]
async fn a_postgres_that_goes_away_during_a_checkout_costs_no_attempt() {
    let mut postgres = OwnPostgres::start().await;
    let app = App::with(&[("MILLRACE_DATABASE__URL", postgres.url())]).await;
    let runner = app.runner_process(&[]);
    app.run("true").await;
    let held = app.hold_mirror();
    let id = app.submit("echo hello").await;
    until("it fetches", async || app.job(id).await.job.stage.as_deref() == Some("checkout")).await;

    postgres.stop();
    drop(held);
    until("the attempt waits", async || runner.log().contains("the attempt waits")).await;
    postgres.start_again();

    let job = app.wait_until(id, JobState::Succeeded).await;
    assert_eq!(job.attempt, 1);
    assert_eq!(app.stdout(id).await, ["hello"]);
    assert!(app.attempts(id).await[0].commit.is_some(), "what it waited to write is there");
}

#[tokio::test]
async fn a_runner_that_is_hurried_ends_although_postgres_is_away() {
    let mut postgres = OwnPostgres::start().await;
    let settings = [("MILLRACE_DATABASE__URL", postgres.url()), ("MILLRACE_QUEUE__LEASE_SECONDS", "2")];
    let app = App::with(&settings).await;
    let mut runner = app.runner_process(&[("MILLRACE_RUNNER__GRACE_SECONDS", "600")]);
    let script = "echo runs; while [ $MILLRACE_ATTEMPT = 1 ]; do sleep 0.1; done";
    let id = app.submit(script).await;
    app.wait_for_line(id, "runs").await;

    postgres.stop();
    runner.signal(Signal::TERM);
    until("it says that it stops", async || runner.log().contains("stopping")).await;
    runner.signal(Signal::TERM);

    assert!(runner.ended().await.success(), "{}", runner.log());
    postgres.start_again();
    let _other = app.runner().await;
    assert_eq!(app.wait_until(id, JobState::Succeeded).await.attempt, 2, "its lease has run out");
}

#[tokio::test]
async fn an_error_of_postgres_that_passes_is_answered_with_when_to_ask_again() {
    let app = App::start().await;
    for code in ["57P01", "57P02", "57P03"] {
        app.refuse("INSERT ON jobs FOR EACH ROW", code).await;

        let answer = app.post_json("/api/jobs", &app.new_job(json!({}))).await;

        assert_eq!(answer.status(), 503, "{code}");
        assert!(answer.headers().contains_key("retry-after"));
        app.refuse_no_more().await;
    }
    app.submit("true").await;
}
