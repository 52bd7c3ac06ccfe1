//! Attempts of which nobody can say how they ended: their jobs are not tried for ever.

use std::sync::Arc;

use app::model::{AttemptState, JobState};
use async_trait::async_trait;
use millrace::{
    db::transitions::Outcome,
    runner::{Execute, Runner, RunningAttempt, Shutdown},
};

use crate::harness::App;

#[tokio::test]
async fn what_postgres_does_not_take_of_an_attempt_counts_as_a_loss() {
    let app = App::start().await;
    let _runner = app.runner().await;
    for trigger in [
        "UPDATE ON attempts FOR EACH ROW WHEN (NEW.state = 'succeeded')",
        "INSERT ON job_output FOR EACH ROW",
    ] {
        app.refuse(trigger, "22000").await;

        let detail = app.run("echo done").await;

        let error = detail.job.error.unwrap();
        assert_eq!((detail.job.state, detail.job.attempt), (JobState::Failed, 3), "{error}");
        assert!(error.starts_with("poison: ") && error.contains("refused for a test"), "{error}");
        for attempt in detail.attempts {
            assert_eq!(attempt.state, AttemptState::Lost);
            assert!(attempt.error.unwrap().contains("refused for a test"));
        }
        app.refuse_no_more().await;
    }
    assert_eq!(app.run("true").await.job.state, JobState::Succeeded, "the runner goes on");
}

/// Has a bug.
struct Panics;

#[async_trait]
impl Execute for Panics {
    async fn execute(&self, _: &RunningAttempt) -> Outcome {
        panic!("the bug in {}", 7)
    }
}

#[tokio::test]
async fn an_attempt_that_panics_fails_and_says_so() {
    let app = App::start().await;
    let runner =
        Runner::new("buggy".to_owned(), app.lifecycle.clone(), Arc::clone(&app.config), Arc::new(Panics));
    let shutdown = Shutdown::default();
    let running = tokio::spawn(runner.run(shutdown.clone()));

    let job = app.run("true").await.job;

    assert_eq!((job.state, job.attempt), (JobState::Failed, 1));
    assert!(job.error.as_ref().unwrap().contains("the bug in 7"), "{:?}", job.error);
    assert_eq!(app.run("true").await.job.state, JobState::Failed, "the runner goes on");
    shutdown.stop.cancel();
    running.await.unwrap().unwrap();
}
