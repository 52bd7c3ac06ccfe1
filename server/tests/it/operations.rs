//! What owners see of the whole installation.

use std::sync::Arc;

use app::model::{ApiError, CleanRequest, JobState, Kind, Operations, PauseRequest, Role};
use millrace::backend::Server;
use serde_json::json;

use crate::harness::{App, Browser};

async fn operations(app: &App) -> Operations {
    let owner = app.person("owner", Role::Owner).await;
    server(app).operations(&owner).await.unwrap()
}

fn server(app: &App) -> Arc<Server> {
    Server::new(Arc::clone(&app.config), app.lifecycle.clone(), app.connection.clone())
}

#[tokio::test]
async fn failures_are_grouped_by_why_and_lead_to_the_last_job() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let mut last = None;
    for script in ["exit 3", "exit 4", "exit 3"] {
        let job = app.run_with(json!({ "script": script, "max_attempts": 1 })).await.job;
        if script == "exit 3" {
            last = Some(job.id);
        }
    }
    app.run("true").await;

    let failures = operations(&app).await.failures;

    let counts: Vec<_> = failures.iter().map(|group| (group.kind, group.count)).collect();
    assert_eq!(counts, [(Kind::Command, 2), (Kind::Command, 1)]);
    assert!(failures[0].error.contains("exit code 3"), "{}", failures[0].error);
    assert_eq!(Some(failures[0].last_job), last);
}

#[tokio::test]
async fn failures_that_differ_only_in_an_id_are_one_group() {
    let app = App::start().await;
    for commit in ["0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef"] {
        let id = app.submit("true").await;
        let error = format!("{commit} is not in the repository\nand more");
        sqlx::query("UPDATE jobs SET state = 'failed', finished_at = now(), error = $2 WHERE id = $1")
            .bind(id.as_uuid())
            .bind(error)
            .execute(app.db())
            .await
            .unwrap();
    }

    let failures = operations(&app).await.failures;

    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].error.as_str(), failures[0].count), ("… is not in the repository", 2));
}

#[tokio::test]
async fn the_last_hour_has_sixty_minutes_and_counts_every_job_once() {
    let app = App::start().await;
    let _runner = app.runner().await;
    app.run("true").await;
    app.run("true").await;
    app.run_with(json!({ "script": "false", "max_attempts": 1 })).await;
    let waiting = app.gate("opens");
    let running = app.submit(&waiting.wait()).await;
    app.wait_until(running, JobState::Running).await;

    let history = operations(&app).await.history;

    assert_eq!(history.len(), 60);
    assert!(history.windows(2).all(|pair| pair[1].at - pair[0].at == 60_000));
    let sum = |count: fn(&app::model::Minute) -> u32| history.iter().map(count).sum::<u32>();
    assert_eq!(sum(|minute| minute.succeeded), 2);
    assert_eq!(sum(|minute| minute.failed), 1);
    assert_eq!(sum(|minute| minute.started), 4);
    assert!(history.iter().all(|minute| minute.wait_ms.is_some() == (minute.started > 0)));
}

#[tokio::test]
async fn a_runner_is_listed_with_what_it_runs() {
    let app = App::start().await;
    let runner = app.runner().await;
    let gate = app.gate("opens");
    let id = app.submit(&gate.wait()).await;
    app.wait_until(id, JobState::Running).await;

    let runners = operations(&app).await.runners;

    assert_eq!(runners.len(), 1);
    assert_eq!(runners[0].name, runner.name);
    assert!(runners[0].online && !runners[0].draining);
    assert_eq!(runners[0].running.iter().map(|job| (job.id, job.attempt)).collect::<Vec<_>>(), [(id, 1)]);
}

#[tokio::test]
async fn the_jobs_that_wait_for_longest_come_first_whatever_their_priority() {
    let app = App::start().await;
    let mut expected = Vec::new();
    for (minutes, priority) in [(3, "low"), (2, "critical"), (1, "normal")] {
        let id = app.submit_with(json!({ "script": "true", "priority": priority })).await;
        sqlx::query("UPDATE jobs SET queued_at = now() - $2 * interval '1 minute' WHERE id = $1")
            .bind(id.as_uuid())
            .bind(minutes)
            .execute(app.db())
            .await
            .unwrap();
        expected.push(id);
    }

    let oldest = operations(&app).await.oldest;

    assert_eq!(oldest.iter().map(|job| job.id).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn only_owners_see_and_manage_lanes_and_runners() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let (server, member) = (server(&app), app.person("member", Role::Member).await);
    let (lane, owner) = (Kind::Command, Browser::signed_in(&app, "owner").await);
    let pause = PauseRequest { reason: "why not".to_owned(), until: None };
    let clean = CleanRequest { state: "queued".to_owned(), older_than: 0, dry_run: false };

    for refused in [
        server.operations(&member).await.err(),
        server.pause_lane(&member, lane, pause).await.err(),
        server.resume_lane(&member, lane).await.err(),
        server.clean_lane(&member, lane, clean).await.err(),
        server.drain_runner(&member, "any").await.err(),
        server.undrain_runner(&member, "any").await.err(),
    ] {
        assert!(matches!(refused, Some(ApiError::Forbidden(_))), "{refused:?}");
    }
    assert!(matches!(server.delete_job(&member, id).await, Err(ApiError::NotFound(_))));
    assert_eq!(app.job(id).await.job.state, JobState::Queued);
    assert_eq!(owner.get("/lanes").await.status(), 200);
}
