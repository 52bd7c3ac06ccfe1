//! Canceling what runs: politely, then not, and as a whole.

use std::time::Duration;

use app::model::{AttemptState, JobId, JobState, Stream};
use millrace::db::transitions::{self, Outcome, Verdict};

use crate::harness::{App, is_alive, texts, until};

/// The process ids that the job's script printed, one a line as `pid N`.
async fn pids(app: &App, id: JobId) -> Vec<u32> {
    app.stdout(id).await.iter().filter_map(|line| line.strip_prefix("pid ")?.parse().ok()).collect()
}

#[tokio::test]
async fn a_canceled_job_gets_term_first_and_may_say_a_last_word() {
    let app = App::start().await;
    let _runner = app.runner_with(&[("MILLRACE_RUNNER__KILL_AFTER_SECONDS", "60")]).await;
    let id =
        app.submit("trap 'echo cleaned up; exit 0' TERM\necho ready\nwhile true; do sleep 0.05; done").await;
    app.wait_for_line(id, "ready").await;

    let response = app.cancel(id).await;

    assert_eq!(response.status(), 200);
    let job = app.wait_until(id, JobState::Canceled).await;
    assert_eq!((job.exit_code, job.error), (None, None));
    let lines = app.output(id).await;
    assert_eq!(texts(&lines, Stream::Stdout), ["ready", "cleaned up"]);
    assert_eq!(texts(&lines, Stream::System).last(), Some(&"Stopped."));
    assert_eq!(app.attempts(id).await[0].state, AttemptState::Canceled);
}

#[tokio::test]
async fn a_job_that_ignores_term_is_killed_with_all_its_children() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let script = "trap '' TERM
        (echo pid $BASHPID; while true; do sleep 0.05; done) &
        echo pid $$
        (echo pid $BASHPID; while true; do sleep 0.05; done) &
        wait
        echo ready";
    let id = app.submit(&format!("#!/bin/bash\n{script}")).await;
    until("all three run", async || pids(&app, id).await.len() == 3).await;

    let response = app.cancel(id).await;
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!((&answer["state"], &answer["cancel_requested"]), (&"running".into(), &true.into()));

    app.wait_until(id, JobState::Canceled).await;
    for pid in pids(&app, id).await {
        until("its processes are gone", async || !is_alive(pid)).await;
    }
}

#[tokio::test]
async fn what_a_job_leaves_in_the_background_ends_with_it() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job =
        app.run("#!/bin/bash\n(trap '' TERM; while true; do sleep 0.05; done) &\necho pid $!").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    let pids = pids(&app, job.id).await;
    assert_eq!(pids.len(), 1);
    until("it is gone", async || !is_alive(pids[0])).await;
}

#[tokio::test]
async fn a_process_that_left_the_group_and_the_cookie_does_not_keep_the_job_from_ending() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("escaped");

    let job = app
        .run(&format!("env -u MILLRACE_COOKIE setsid sh -c \"{}\" &\necho started", gate.wait()))
        .await
        .job;

    assert_eq!(job.state, JobState::Succeeded);
    gate.open();
}

#[tokio::test]
async fn a_job_is_canceled_while_it_still_fetches() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.run("true").await;
    let _held = app.hold_mirror();
    let id = app.submit("echo never").await;
    until("it fetches", async || app.job(id).await.job.stage.as_deref() == Some("checkout")).await;

    app.cancel(id).await;

    app.wait_until(id, JobState::Canceled).await;
    assert!(app.stdout(id).await.is_empty());
}

#[tokio::test]
async fn canceling_twice_is_no_error() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id = app.submit("trap '' TERM; echo ready; while true; do sleep 0.05; done").await;
    app.wait_for_line(id, "ready").await;

    assert_eq!(app.cancel(id).await.status(), 200);
    assert_eq!(app.cancel(id).await.status(), 200);

    app.wait_until(id, JobState::Canceled).await;
}

#[tokio::test]
async fn a_cancel_that_meets_the_start_of_its_job_stops_it() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let mut starting = app.db().begin().await.unwrap();
    let started =
        transitions::start(&mut *starting, &[id], "by-hand", Duration::from_secs(60)).await.unwrap();
    assert_eq!(started.len(), 1);

    let canceling = async { app.cancel(id).await.status() };
    let starting = async {
        until("the cancel waits for the start", async || {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(app.db())
            .await
            .unwrap();
            waiting > 0
        })
        .await;
        starting.commit().await.unwrap();
    };
    let (status, ()) = tokio::join!(canceling, starting);

    assert_eq!(status, 200);
    let job = app.job(id).await.job;
    assert_eq!((job.state, job.cancel_requested), (JobState::Running, true));
    let verdict = Verdict { id, attempt: 1, outcome: Outcome::canceled(), lines: 0 };
    app.lifecycle.finish("by-hand", &[verdict]).await.unwrap();
    assert_eq!(app.job(id).await.job.state, JobState::Canceled);
}
