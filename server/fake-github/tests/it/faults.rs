//! What goes wrong on purpose, limits, and answers that did not change.

use millrace_fake_github::RateLimit;
use reqwest::Method;
use serde_json::json;

use crate::github::{REPOSITORY, api, get, github, post_json};

#[tokio::test]
async fn an_unchanged_answer_is_not_counted() {
    let github = github().await;
    let first = get(&github, "/repos/ada/orchard", "ada-token").await;
    assert_eq!(
        (first.status(), &first.headers()["x-ratelimit-remaining"]),
        (200.try_into().unwrap(), &"4999".parse().unwrap())
    );
    let tag = first.headers()["etag"].clone();
    let again =
        || api(&github, Method::GET, "/repos/ada/orchard", "ada-token").header("if-none-match", &tag).send();
    let same = again().await.unwrap();
    assert_eq!(
        (same.status().as_u16(), same.headers()["x-ratelimit-remaining"].to_str().unwrap()),
        (304, "4999")
    );
    github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    assert_eq!(again().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_lost_answer_leaves_its_work_behind() {
    let github = github().await;
    let number = github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    let path = format!("/repos/ada/orchard/issues/{number}/comments");
    github.world().drop_answer_next("POST", "/repos/ada/orchard/issues");
    let lost = api(&github, Method::POST, &path, "ada-token").json(&json!({ "body": "Once" })).send().await;
    assert!(lost.is_err());
    assert_eq!(github.world().comments(REPOSITORY, number).len(), 1);
    assert_eq!(post_json(&github, &path, "ada-token", json!({ "body": "Twice" })).await.status(), 201);
    let posts = github.world().requests().into_iter().filter(|request| request.method == "POST").count();
    assert_eq!(posts, 2);
}

#[tokio::test]
async fn a_planned_failure_comes_as_often_as_it_was_planned() {
    let github = github().await;
    github.world().fail_next("GET", "/repos/ada", 503, 2);
    for status in [503, 503, 200] {
        assert_eq!(get(&github, "/repos/ada/orchard", "").await.status(), status);
    }
}

#[tokio::test]
async fn both_limits_say_when_to_come_again() {
    let github = github().await;
    github.world().rate_limit_next("/repos", RateLimit::Primary { resets_in_seconds: 60 });
    let primary = get(&github, "/repos/ada/orchard", "").await;
    assert_eq!(
        (primary.status().as_u16(), primary.headers()["x-ratelimit-remaining"].to_str().unwrap()),
        (403, "0")
    );
    assert!(primary.headers().contains_key("x-ratelimit-reset"));
    github.world().rate_limit_next("/repos", RateLimit::Secondary { retry_after_seconds: 7 });
    let secondary = get(&github, "/repos/ada/orchard", "").await;
    assert_eq!(
        (secondary.status().as_u16(), secondary.headers()["retry-after"].to_str().unwrap()),
        (429, "7")
    );
    assert_eq!(get(&github, "/repos/ada/orchard", "").await.status(), 200);
}

#[tokio::test]
async fn nobody_answers_while_it_is_away() {
    let github = github().await;
    github.world().away();
    assert!(api(&github, Method::GET, "/repos/ada/orchard", "").send().await.is_err());
    github.world().back();
    assert_eq!(get(&github, "/repos/ada/orchard", "").await.status(), 200);
}
