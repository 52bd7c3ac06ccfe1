//! Webhooks: who gets which, how they are signed, and what becomes of those that were missed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::github::{REPOSITORY, Receiver, api, get, github, installed, jwt, post_json};

#[tokio::test]
async fn a_webhook_is_signed_with_its_secret_and_names_its_event() {
    let (github, receiver) = (github().await, Receiver::start().await);
    github.world().add_plain_webhook(REPOSITORY, &receiver.url, "a secret");
    let number = github.world().open_issue(REPOSITORY, "grace", "Apples", "are green");
    github.world().comment(REPOSITORY, number, "ada", "@millrace fix it");
    github.world().settled().await;

    assert_eq!(receiver.events(), ["ping", "issues.opened", "issue_comment.created"]);
    let (headers, body) = receiver.received().pop().unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a secret").unwrap();
    mac.update(&body);
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(headers["x-hub-signature-256"], format!("sha256={digest}"));
    assert_eq!(headers["x-github-hook-installation-target-type"], "repository");
    let payload: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(payload["comment"]["author_association"], "OWNER");
    assert_eq!(payload["repository"]["clone_url"], format!("{}/{REPOSITORY}.git", github.url()));
    assert_eq!(payload["sender"]["login"], "ada");
    assert_eq!(payload["issue"]["number"], number);
}

#[tokio::test]
async fn everything_that_happens_is_told() {
    let (github, receiver) = (github().await, Receiver::start().await);
    let world = github.world();
    installed(&github, &receiver.url);
    let issue = world.open_issue(REPOSITORY, "ada", "Apples", "");
    world.label(REPOSITORY, issue, "millrace", "ada");
    world.assign(REPOSITORY, issue, "grace", "ada");
    let pull = world.open_fork_pull(REPOSITORY, "grace", "Pears", "", "pears", "main");
    world.review(REPOSITORY, pull, "ada", "No", "request_changes");
    world.review_comment(REPOSITORY, pull, "ada", "Why?", "pears.txt", "@@ -0,0 +1 @@");
    let sha = world.pulls(REPOSITORY)[0].pull.head_sha.clone();
    world.complete_check(REPOSITORY, &sha, "build", "failure", "github-actions");
    world.close(REPOSITORY, pull, "ada");
    world.settled().await;

    assert_eq!(
        receiver.events(),
        [
            "installation.created",
            "issues.opened",
            "issues.labeled",
            "issues.assigned",
            "pull_request.opened",
            "pull_request_review.submitted",
            "pull_request_review_comment.created",
            "check_run.created",
            "check_run.completed",
            "check_suite.completed",
            "pull_request.closed",
        ]
    );
    let opened: Value = serde_json::from_slice(&receiver.received()[4].1).unwrap();
    assert_eq!(opened["pull_request"]["head"]["repo"]["full_name"], "grace/orchard");
    assert_eq!(opened["pull_request"]["head"]["repo"]["fork"], true);
    assert!(opened["installation"]["id"].is_u64());
}

#[tokio::test]
async fn a_missed_webhook_can_be_found_and_delivered_again() {
    let (github, receiver) = (github().await, Receiver::start().await);
    let (app, _) = installed(&github, &receiver.url);
    github.world().settled().await;
    github.world().pause_webhooks();
    github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    github.world().resume_webhooks();
    github.world().settled().await;
    assert_eq!(receiver.events(), ["installation.created"]);

    let page = get(&github, "/app/hook/deliveries?per_page=1", &jwt(app, 60)).await;
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    let missed = page.json::<Value>().await.unwrap()[0].clone();
    assert_eq!((missed["status_code"].as_u64(), missed["redelivery"].as_bool()), (Some(502), Some(false)));
    let next = link.split(['<', '>']).nth(1).unwrap();
    let next: Value = crate::github::client()
        .get(next)
        .bearer_auth(jwt(app, 60))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(next[0]["event"], "installation");

    let again = format!("/app/hook/deliveries/{}/attempts", missed["id"]);
    assert_eq!(post_json(&github, &again, &jwt(app, 60), json!({})).await.status(), 202);
    github.world().settled().await;
    assert_eq!(receiver.events(), ["installation.created", "issues.opened"]);
    let (headers, _) = receiver.received().pop().unwrap();
    assert_eq!(headers["x-github-delivery"], missed["guid"].as_str().unwrap());
    let last = github.world().deliveries().pop().unwrap();
    assert!(last.redelivery && last.status_code == 200);
}

#[tokio::test]
async fn an_app_changes_its_own_webhook() {
    let (github, receiver) = (github().await, Receiver::start().await);
    let (app, _) = installed(&github, "");
    let change = json!({ "url": receiver.url, "secret": "another" });
    let changed =
        api(&github, Method::PATCH, "/app/hook/config", &jwt(app, 60)).json(&change).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    github.world().settled().await;
    assert_eq!(receiver.events(), ["issues.opened"]);
}
