//! Deliveries while GitHub fails, or the server dies: what may pass is tried again, and one delivery makes one job.

use std::time::Duration;

use app::model::Verdict;
use millrace::db::deliveries;
use millrace_fake_github::RateLimit;

use crate::harness::{Hub, ORCHARD, until};

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    hub.world().fail_next("GET", &format!("/api/v3/repos/{ORCHARD}/collaborators"), 502, 3);
    let delivery = hub.comment(issue, "ada", "@millrace go").await;
    assert_eq!((delivery.verdict, delivery.tries), (Some(Verdict::Ran), 2));
}

#[tokio::test]
async fn what_does_not_pass_ends_as_an_error_that_says_why() {
    for (is_limit, verdict, words) in
        [(true, Verdict::RateLimited, "asked again after"), (false, Verdict::Error, "does not answer")]
    {
        let mut hub = Hub::idle(&[]).await;
        let issue = hub.issue();
        hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
        hub.world().settled().await;
        sqlx::query("UPDATE deliveries SET in_a_row = 8").execute(hub.app.db()).await.unwrap();
        if is_limit {
            hub.world().rate_limit_next("/api/v3/user", RateLimit::Primary { resets_in_seconds: 600 });
        } else {
            hub.world().fail_next("GET", "/api/v3/user", 503, 3);
        }
        hub.work();
        let delivery = hub.last().await;
        assert_eq!(delivery.verdict, Some(verdict), "{delivery:?}");
        assert!(delivery.detail.unwrap().contains(words));
        assert_eq!(hub.jobs().await, 0);
    }
}

#[tokio::test]
async fn a_server_that_dies_over_a_delivery_leaves_one_job() {
    let mut hub = Hub::idle(&[]).await;
    let issue = hub.issue();
    hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
    hub.world().settled().await;
    // It claims the delivery, and is not heard of again.
    let claimed = deliveries::claim(hub.app.db(), 10, Duration::from_secs(60)).await.unwrap();
    let asking = claimed.iter().filter(|delivery| delivery.event != "ping").count();
    assert_eq!(asking, 1, "the comment waits for the issue, which is older");
    assert!(deliveries::claim(hub.app.db(), 10, Duration::from_secs(60)).await.unwrap().is_empty());
    sqlx::query("UPDATE deliveries SET due_at = now()").execute(hub.app.db()).await.unwrap();
    hub.work();
    assert_eq!(hub.last().await.verdict, Some(Verdict::Ran));
    // What it says when it comes back counts for nothing.
    let late = deliveries::settle(hub.app.db(), &claimed[0], Verdict::Error, "late", None).await.unwrap();
    assert!(!late);
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn a_server_that_is_killed_while_deliveries_come_loses_none_and_repeats_none() {
    let hub = Hub::idle(&[]).await;
    let issue = hub.issue();
    for number in 0..5 {
        hub.world().comment(ORCHARD, issue, "ada", &format!("@millrace job {number}"));
    }
    hub.world().settled().await;
    for _ in 0..3 {
        let (mut server, _) = hub.app.server_process(hub.app.free_port().await).await;
        server.kill();
        // Its leases would end by themselves.
        sqlx::query("UPDATE deliveries SET due_at = now() WHERE verdict IS NULL")
            .execute(hub.app.db())
            .await
            .unwrap();
    }
    let (_server, _) = hub.app.server_process(hub.app.free_port().await).await;
    until("every delivery has a verdict", async || {
        hub.deliveries().await.iter().all(|delivery| delivery.verdict.is_some())
    })
    .await;
    assert_eq!(hub.verdicts("issue_comment").await, [Verdict::Ran; 5]);
    assert_eq!(hub.jobs().await, 5);
}
