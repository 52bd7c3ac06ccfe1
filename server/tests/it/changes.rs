//! What an attempt changed, as the API and the job's page show it.

use app::model::{JobId, JobState, Role};
use serde_json::json;

use crate::harness::{App, Browser};

const PATCH: &str = "\
diff --git a/src/wheel.rs b/src/wheel.rs
--- a/src/wheel.rs
+++ b/src/wheel.rs
@@ -1,2 +1,2 @@
 // <script>alert(1)</script>
-fn turn() {}
+fn turn() { again() }
diff --git a/picture.png b/picture.png
new file mode 100644
Binary files /dev/null and b/picture.png differ
";

/// A job of an agent whose only attempt has ended like this.
async fn agents_job(app: &App, run: serde_json::Value, patch: Option<&str>) -> JobId {
    let _runner = app.runner().await;
    let id = app.run("true").await.job.id;
    sqlx::query("UPDATE jobs SET kind = 'agent', agent = 'demo' WHERE id = $1")
        .bind(id.as_uuid())
        .execute(app.db())
        .await
        .unwrap();
    sqlx::query("UPDATE attempts SET agent = $2 WHERE job_id = $1")
        .bind(id.as_uuid())
        .bind(run)
        .execute(app.db())
        .await
        .unwrap();
    if let Some(patch) = patch {
        sqlx::query("INSERT INTO attempt_changes (job_id, attempt, patch, cut) VALUES ($1, 1, $2, false)")
            .bind(id.as_uuid())
            .bind(zstd::encode_all(patch.as_bytes(), 3).unwrap())
            .execute(app.db())
            .await
            .unwrap();
    }
    id
}

fn changed() -> serde_json::Value {
    json!({ "outcome": "changed", "changes": { "files": 2, "additions": 1, "deletions": 1, "commits": 1 } })
}

#[tokio::test]
async fn the_api_has_the_files_and_the_diff() {
    let app = App::start().await;
    let id = agents_job(&app, changed(), Some(PATCH)).await;

    let changes = app.get_json(&format!("/api/jobs/{id}/changes")).await;
    assert_eq!(
        changes,
        json!({ "files": [
            { "path": "src/wheel.rs", "status": "modified", "additions": 1, "deletions": 1 },
            { "path": "picture.png", "status": "added", "additions": 0, "deletions": 0, "binary": true },
        ] })
    );
    let patch = app.get(&format!("/api/jobs/{id}/changes.patch?attempt=1")).await;
    assert!(patch.headers()["content-type"].to_str().unwrap().starts_with("text/x-diff"));
    assert!(patch.headers()["content-disposition"].to_str().unwrap().ends_with("-1.patch\""));
    assert_eq!(patch.text().await.unwrap(), PATCH);

    for path in ["changes?attempt=2", "changes.patch?attempt=2"] {
        assert_eq!(app.get(&format!("/api/jobs/{id}/{path}")).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn only_who_may_see_the_job_sees_its_changes() {
    let app = App::start().await;
    let id = agents_job(&app, changed(), Some(PATCH)).await;
    app.person("stranger", Role::Member).await;
    let stranger = Browser::signed_in(&app, "stranger").await;

    for path in [
        format!("/api/jobs/{id}/changes"),
        format!("/api/jobs/{id}/changes.patch"),
        format!("/jobs/{id}?tab=changes"),
    ] {
        assert_eq!(stranger.get(&path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn the_page_shows_the_diff_as_text_and_loads_what_is_large() {
    let app = App::start().await;
    let lines: String = (0..1500).map(|line| format!("+line {line}\n")).collect();
    let large = format!(
        "{PATCH}diff --git a/large.txt b/large.txt\nnew file mode 100644\n--- /dev/null\n+++ b/large.txt\n@@ -0,0 +1,1500 @@\n{lines}"
    );
    let id = agents_job(&app, changed(), Some(&large)).await;
    let browser = Browser::signed_in(&app, "owner").await;

    let page = browser.get(&format!("/jobs/{id}?tab=changes")).await.text().await.unwrap();
    assert!(page.contains("src/wheel.rs") && page.contains("again"), "{page}");
    assert!(!page.contains("<script>alert"), "a line of a file is text");
    assert!(
        page.contains("Show its 1500 lines") && !page.contains("line 7"),
        "a large file is not there at first"
    );

    let load = page.split("data-load=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let rows: String = browser.get(&load).await.json().await.unwrap();
    assert!(rows.contains("line 999<") && !rows.contains("line 1000<"), "{rows}");
    assert!(rows.contains("Show more of the 500 lines that follow"), "{rows}");

    // The same without the WASM.
    let whole = browser.get(&format!("/jobs/{id}?tab=changes&file=2&from=1000")).await.text().await.unwrap();
    assert!(whole.contains("line 1499<") && whole.contains("src/wheel.rs"));
}

#[tokio::test]
async fn a_page_without_changes_says_why() {
    let app = App::start().await;
    let id = agents_job(&app, json!({ "outcome": "no_change" }), None).await;
    let browser = Browser::signed_in(&app, "owner").await;

    let page = browser.get(&format!("/jobs/{id}?tab=changes")).await.text().await.unwrap();

    assert_eq!(app.job(id).await.job.state, JobState::Succeeded);
    assert!(page.contains("The agent finished and left nothing to commit."), "{page}");
    assert_eq!(app.get_json(&format!("/api/jobs/{id}/changes")).await, json!({ "files": [] }));
}
