//! What was sent while nobody was there.

use app::model::Verdict;
use secrecy::ExposeSecret as _;

use crate::harness::{Hub, ORCHARD, OWN, TOKEN, until};

/// Somebody asks for a job while no webhook arrives; the number of the issue.
async fn missed(hub: &Hub) -> u64 {
    hub.world().settled().await;
    hub.world().pause_webhooks();
    let issue = hub.issue();
    hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
    hub.world().settled().await;
    assert!(hub.deliveries().await.iter().all(|delivery| delivery.event != "issue_comment"));
    issue
}

#[tokio::test]
async fn what_was_missed_is_asked_for_once() {
    let mut hub = Hub::idle(&[]).await;
    hub.become_app().await;
    let issue = missed(&hub).await;
    hub.world().resume_webhooks();
    hub.work();
    until("the job is made", async || hub.jobs().await == 1).await;
    let asked = hub.asked("POST", "/attempts");
    // That the App was installed may have been told before the server knew the App.
    assert!((2..=3).contains(&asked), "{asked}");
    hub.work();
    hub.comment(issue, "ada", "@millrace status").await;
    assert_eq!(hub.asked("POST", "/attempts"), asked, "once is enough");
}

#[tokio::test]
async fn what_a_webhook_without_an_app_missed_is_asked_for_too() {
    let mut hub = Hub::idle(&[]).await;
    hub.world().set_permission(ORCHARD, OWN, "admin");
    missed(&hub).await;
    hub.world().resume_webhooks();
    hub.work();
    until("the job is made", async || hub.jobs().await == 1).await;
    assert_eq!(hub.asked("POST", "/attempts"), 2, "the issue and the comment, and not what arrived");
}

#[tokio::test]
async fn what_the_webhook_of_an_organisation_missed_is_asked_for_too() {
    const PEARS: &str = "grove/pears";
    let mut hub = Hub::idle(&[]).await;
    let world = hub.world();
    world.add_org("grove", &["ada", OWN]);
    world.add_repository(PEARS);
    world.set_permission(PEARS, "ada", "write");
    world.set_permission(PEARS, OWN, "write");
    world.add_organization_webhook(
        "grove",
        &hub.app.url("/webhooks/github"),
        hub.webhook_secret().expose_secret(),
    );
    world.let_see_organization_webhooks(TOKEN);
    let issue = world.open_issue(PEARS, "ada", "The pears are hard", "They should be soft.");
    world.settled().await;
    world.pause_webhooks();
    world.comment(PEARS, issue, "ada", "@millrace go");
    world.settled().await;
    world.resume_webhooks();

    hub.work();
    until("the job is made", async || hub.jobs().await == 1).await;
    assert_eq!(hub.asked("POST", "/attempts"), 1, "the comment, and not what arrived");
}

#[tokio::test]
async fn a_token_that_may_not_see_webhooks_asks_for_nothing_and_all_else_goes_on() {
    let mut hub = Hub::idle(&[]).await;
    let issue = missed(&hub).await;
    hub.world().resume_webhooks();
    hub.work();
    let delivery = hub.comment(issue, "ada", "@millrace status").await;
    assert_eq!(delivery.verdict, Some(Verdict::Answered));
    until("the webhooks were looked at", async || hub.asked("GET", "/hooks") > 0).await;
    assert_eq!((hub.asked("POST", "/attempts"), hub.jobs().await), (0, 0));
}

#[tokio::test]
async fn what_failed_again_is_asked_for_once_more() {
    let mut hub = Hub::idle(&[]).await;
    hub.become_app().await;
    missed(&hub).await;
    hub.work();
    until("it failed again", async || {
        let again = |delivery: &millrace_fake_github::Delivery| {
            delivery.redelivery && delivery.event == "issue_comment"
        };
        hub.world().deliveries().iter().any(again)
    })
    .await;
    assert_eq!(hub.jobs().await, 0);

    hub.world().resume_webhooks();
    hub.work();
    until("the job is made", async || hub.jobs().await == 1).await;
}
