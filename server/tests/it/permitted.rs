//! Who may use a connected repository: GitHub's word on their account decides.

use app::model::Role;
use millrace::db::accounts;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::harness::{App, Hub, ORCHARD};

/// A member's token, whose GitHub account has the same name.
async fn member(hub: &Hub, login: &str, github_id: i64) -> SecretString {
    let token = hub.app.token_of(login, Role::Member).await;
    let person = hub.app.person(login, Role::Member).await;
    assert!(accounts::link(hub.app.db(), person.id, github_id, login).await.unwrap());
    token
}

fn command(hub: &Hub) -> Value {
    let address = format!("{}/{ORCHARD}.git", hub.github.url());
    json!({ "kind": "command", "repository": address, "script": "cat *" })
}

#[tokio::test]
async fn a_member_uses_what_they_may_write_to_and_an_owner_everything() {
    let hub = Hub::start().await;
    hub.world().make_private(ORCHARD);
    let (grace, eve) = (member(&hub, "grace", 77).await, member(&hub, "eve", 78).await);
    hub.world().set_permission(ORCHARD, "eve", "read");
    let job = command(&hub);
    let list = json!([job]);
    let schedule = json!({ "name": "nightly", "cron": "0 3 * * *", "job": job });
    for (path, body) in [("/api/jobs", &job), ("/api/jobs", &list), ("/api/schedules", &schedule)] {
        assert_eq!(hub.app.post_as(&hub.app.token, path, body).await.status(), 201, "{path}");
        assert_eq!(hub.app.post_as(&grace, path, body).await.status(), 201, "{path}");
        let refused = hub.app.post_as(&eve, path, body).await;
        assert_eq!(refused.status(), 403, "{path}");
        let text = refused.text().await.unwrap();
        assert!(text.contains("eve may not write to ada/orchard on GitHub"), "{text}");
    }
    // However it is spelt.
    for address in [format!("{}/Ada/Orchard", hub.github.url()), "git@127.0.0.1:ada/orchard".to_owned()] {
        let mut job = command(&hub);
        job["repository"] = json!(address);
        assert_eq!(hub.app.post_as(&eve, "/api/jobs", &job).await.status(), 403, "{address}");
    }
    // What is not GitHub's is as it was.
    let local = hub.app.new_job(json!({}));
    assert_eq!(hub.app.post_as(&eve, "/api/jobs", &local).await.status(), 201);
}

#[tokio::test]
async fn whose_account_is_not_known_uses_nothing_and_is_told_how_to_change_that() {
    let hub = Hub::start().await;
    let token = hub.app.token_of("grace", Role::Member).await;
    let refused = hub.app.post_as(&token, "/api/jobs", &command(&hub)).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("Sign in with GitHub"));
    assert_eq!(hub.jobs().await, 0);
}

#[tokio::test]
async fn while_github_does_not_say_nothing_is_permitted() {
    let hub = Hub::start().await;
    let grace = member(&hub, "grace", 77).await;
    hub.world().fail_next("GET", &format!("/repos/{ORCHARD}/collaborators"), 503, 3);
    assert_eq!(hub.app.post_as(&grace, "/api/jobs", &command(&hub)).await.status(), 503);
    assert_eq!(hub.jobs().await, 0);
    assert_eq!(hub.app.post_as(&grace, "/api/jobs", &command(&hub)).await.status(), 201);
}

#[tokio::test]
async fn who_may_not_write_any_more_tries_nothing_again() {
    let hub = Hub::start().await;
    let eve = member(&hub, "eve", 78).await;
    let id = hub.app.submit_as(&eve, json!({})).await;
    hub.app.cancel(id).await;
    // As it is after the permission was taken away, and what was known of it is forgotten.
    sqlx::query("UPDATE jobs SET repository = $1")
        .bind(command(&hub)["repository"].as_str())
        .execute(hub.app.db())
        .await
        .unwrap();
    let retry = format!("/api/jobs/{id}/retry");
    assert_eq!(hub.app.post_as(&eve, &retry, &json!({})).await.status(), 403);
    assert_eq!(hub.app.retry(id).await.status(), 200, "the owner may");
}

#[tokio::test]
async fn where_millrace_has_no_token_there_is_nothing_to_guard() {
    let app = App::start().await;
    let token = app.token_of("grace", Role::Member).await;
    let job = json!({ "kind": "command", "repository": "https://github.com/ada/orchard", "script": "true" });
    assert_eq!(app.post_as(&token, "/api/jobs", &job).await.status(), 201);
}
