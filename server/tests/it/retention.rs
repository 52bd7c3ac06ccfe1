//! What is deleted when its time is over, and what the log says of it.

use app::model::JobId;
use serde_json::json;

use crate::harness::{App, until};

/// As if the job had ended that many days ago.
async fn age(app: &App, id: JobId, days: i32) {
    for sql in [
        "UPDATE jobs SET finished_at = finished_at - $2 * interval '1 day' WHERE id = $1",
        "UPDATE attempts SET finished_at = finished_at - $2 * interval '1 day' WHERE job_id = $1",
    ] {
        sqlx::query(sql).bind(id.as_uuid()).bind(days).execute(app.db()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_log_says_what_went() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let (old, printed, fresh) = (app.run("true").await, app.run("seq 9").await, app.run("seq 9").await);
    let (old, printed, fresh) = (old.job.id, printed.job.id, fresh.job.id);
    let keyed = app.submit_with(json!({ "idempotency_key": "once" })).await;
    app.finished(keyed).await;
    age(&app, old, 91).await;
    age(&app, printed, 31).await;
    sqlx::raw_sql(
        "UPDATE idempotency_keys SET created_at = now() - interval '8 days';
         INSERT INTO runners (name, version, slots, lanes, last_seen_at)
         VALUES ('dead', '0', 1, '{command}', now() - interval '2 days')",
    )
    .execute(app.db())
    .await
    .unwrap();
    app.empty_redis().await;

    let (server, _) = app.server_process(app.free_port().await).await;
    until("it has come to the last", async || server.log().contains("idempotency keys were forgotten")).await;

    let log = server.log();
    for (what, figure) in [
        ("jobs were deleted", "jobs=1"),
        ("output was deleted because its time is over", "attempts=1"),
        ("runners that were not heard of for a day were forgotten", "runners=1"),
        ("idempotency keys were forgotten", "keys=1"),
    ] {
        let line = log.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}:\n{log}"));
        assert!(line.contains(figure), "{line}");
    }
    assert_eq!(app.get(&format!("/api/jobs/{old}")).await.status(), 404);
    let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM job_output WHERE job_id = $1")
        .bind(old.as_uuid())
        .fetch_one(app.db())
        .await
        .unwrap();
    assert_eq!(chunks, 0);
    let [notice] = &app.output(printed).await[..] else { panic!("one line") };
    assert!(notice.line.starts_with("The output was deleted after 30 days"), "{notice:?}");
    assert_eq!(app.stdout(fresh).await.len(), 9);
    let again = app.submit_with(json!({ "idempotency_key": "once" })).await;
    assert_ne!(again, keyed);
    let runners: Vec<String> =
        sqlx::query_scalar("SELECT name FROM runners").fetch_all(app.db()).await.unwrap();
    assert!(!runners.contains(&"dead".to_owned()) && runners.len() == 1, "{runners:?}");
}
