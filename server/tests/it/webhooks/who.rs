//! Who may ask: whoever may write, by GitHub's own word; an error permits nothing.

use app::model::Verdict;
use chrono::Utc;
use millrace_fake_github::RateLimit;
use serde_json::json;

use super::comment_event;
use crate::harness::{Hub, ORCHARD, OWN, eventually, until};

/// Where GitHub says who may do what.
const PERMISSIONS: &str = "/repos/ada/orchard/collaborators";

#[tokio::test]
async fn millrace_does_not_hear_itself_and_hears_whose_token_it_has() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    hub.world().comment(ORCHARD, issue, "mill", "@millrace go");
    assert_eq!(hub.verdicts_of_all("issue_comment").await[0], Verdict::Ran);

    hub.become_app().await;
    let mut event = comment_event(5, "millrace[bot]", "@millrace go");
    event["sender"]["type"] = json!("Bot");
    eventually("the App is known", async || {
        hub.deliver_new("issue_comment", &event).await;
        let all = hub.settled().await;
        (all[0].detail.as_deref() == Some("It was done by Millrace itself.")).then_some(())
    })
    .await;
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn githubs_word_on_the_permission_decides() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    let world = hub.world();
    for permission in ["admin", "maintain", "write", "triage", "read", "none"] {
        let login = format!("user-{permission}");
        world.add_user(&login);
        world.set_permission(ORCHARD, &login, permission);
        let delivery = hub.comment(issue, &login, "@millrace status").await;
        let may = ["admin", "maintain", "write"].contains(&permission);
        let expected = if may { Verdict::Answered } else { Verdict::NotAllowed };
        assert_eq!(delivery.verdict, Some(expected), "{permission}: {delivery:?}");
    }
    // They are told once, however often they ask.
    hub.comment(issue, "user-read", "@millrace go").await;
    let told = hub.said(issue).iter().filter(|text| text.contains("who may write")).count();
    assert_eq!((told, hub.jobs().await), (3, 0));
}

#[tokio::test]
async fn an_error_permits_nothing() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    for (status, login) in [(403, "ada"), (404, "grace"), (422, "eve")] {
        hub.world().fail_next("GET", &format!("/api/v3/repos/{ORCHARD}/collaborators"), status, 1);
        let delivery = hub.comment(issue, login, "@millrace go").await;
        assert_eq!(delivery.verdict, Some(Verdict::NotAllowed), "{status}: {delivery:?}");
    }
    assert_eq!(hub.jobs().await, 0);
}

#[tokio::test]
async fn bots_ask_only_when_they_are_listed() {
    let hub = Hub::with(&[("MILLRACE_GITHUB__BOTS", "renovate[bot]")]).await;
    hub.issue();
    hub.settled().await;
    for (login, verdict) in [("renovate[bot]", Verdict::Ran), ("other[bot]", Verdict::NotAllowed)] {
        let mut event = comment_event(if login.starts_with('r') { 1 } else { 2 }, login, "@millrace go");
        event["sender"]["type"] = json!("Bot");
        hub.deliver_new("issue_comment", &event).await;
        assert_eq!(hub.last().await.verdict, Some(verdict), "{login}");
    }
    assert!(hub.said(1).is_empty(), "a bot is not answered");
}

#[tokio::test]
async fn an_app_in_somebodys_name_asks_only_when_it_is_listed() {
    let hub = Hub::with(&[("MILLRACE_GITHUB__BOTS", "helper[bot]")]).await;
    hub.issue();
    hub.settled().await;
    for (id, slug, login, verdict) in [
        (1, "helper", "ada", Verdict::Ran),
        (2, "other", "ada", Verdict::NotAllowed),
        (3, "helper", "eve", Verdict::NotAllowed),
    ] {
        let mut event = comment_event(id, login, "@millrace go");
        event["comment"]["performed_via_github_app"] = json!({ "id": 3, "slug": slug });
        hub.deliver_new("issue_comment", &event).await;
        assert_eq!(hub.last().await.verdict, Some(verdict), "{slug} for {login}");
    }
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn what_says_nothing_of_the_permission_is_waited_for_and_never_permits() {
    // What GitHub answers each time, and what the ledger says in the end.
    type Fault = fn(&Hub);
    let faults: [(&str, Fault, Verdict, &str); 6] = [
        (
            "a fault",
            |hub| hub.world().fail_next("GET", PERMISSIONS, 503, 1_000),
            Verdict::Error,
            "does not answer",
        ),
        (
            "no token any more",
            |hub| hub.world().fail_next("GET", PERMISSIONS, 401, 1_000),
            Verdict::Error,
            "token",
        ),
        (
            "a page of a proxy",
            |hub| (0..9).for_each(|_| hub.world().nonsense_next("GET", PERMISSIONS, "<html>Sign in</html>")),
            Verdict::Error,
            "not what its documentation says",
        ),
        (
            "another form",
            |hub| {
                (0..9).for_each(|_| {
                    hub.world().nonsense_next("GET", PERMISSIONS, r#"{"permission":["admin"]}"#)
                })
            },
            Verdict::Error,
            "not what its documentation says",
        ),
        (
            "the limit of an hour",
            |hub| hub.world().rate_limit_next(PERMISSIONS, RateLimit::Primary { resets_in_seconds: 600 }),
            Verdict::RateLimited,
            "asked again after",
        ),
        (
            "the limit of a moment",
            |hub| hub.world().rate_limit_next(PERMISSIONS, RateLimit::Secondary { retry_after_seconds: 600 }),
            Verdict::RateLimited,
            "asked again after",
        ),
    ];
    for (what, fault, verdict, words) in faults {
        let hub = Hub::start().await;
        let issue = hub.issue();
        hub.settled().await;
        fault(&hub);
        hub.world().comment(ORCHARD, issue, "ada", "@millrace go");

        let waiting = hub.put_off("issue_comment").await;
        assert!(waiting.detail.unwrap().ends_with("It is tried again."), "{what}");
        hub.try_for_the_last_time().await;
        let ended = hub.last().await;

        assert_eq!(ended.verdict, Some(verdict), "{what}: {ended:?}");
        assert!(ended.detail.as_ref().unwrap().contains(words), "{what}: {ended:?}");
        assert_eq!((hub.jobs().await, hub.said(issue).len()), (0, 0), "{what}");
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_as_long_as_github_says() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    hub.settled().await;
    hub.world().rate_limit_next(PERMISSIONS, RateLimit::Secondary { retry_after_seconds: 1_200 });
    let before = Utc::now();
    hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
    hub.put_off("issue_comment").await;
    let due: chrono::DateTime<Utc> =
        sqlx::query_scalar("SELECT due_at FROM deliveries WHERE verdict IS NULL")
            .fetch_one(hub.app.db())
            .await
            .unwrap();
    assert!(due >= before + chrono::TimeDelta::seconds(1_199), "{due}");
}

#[tokio::test]
async fn what_is_no_answer_about_a_permission_permits_nothing() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    for body in ["{}", r#"{"permission":"owner"}"#, r#"{"permission":"read","role_name":"writer"}"#] {
        hub.world().nonsense_next("GET", PERMISSIONS, body);
        // The answer is kept for a moment: each is somebody else's.
        let login = format!("user-{}", body.len());
        hub.world().add_user(&login);
        let delivery = hub.comment(issue, &login, "@millrace go").await;
        assert_eq!(delivery.verdict, Some(Verdict::NotAllowed), "{body}: {delivery:?}");
    }
    assert_eq!(hub.jobs().await, 0);
}

#[tokio::test]
async fn while_github_does_not_answer_nothing_is_permitted() {
    let mut hub = Hub::idle(&[]).await;
    let issue = hub.issue();
    hub.world().hold_answer_next("GET", PERMISSIONS);
    hub.work();
    hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
    until("GitHub was asked", async || hub.asked("GET", "/collaborators/ada/permission") == 1).await;
    let delivery = hub.deliveries().await.remove(0);
    assert_eq!((delivery.verdict, hub.jobs().await), (None, 0));

    // Another server goes on when the time for it is over.
    hub.work();
    sqlx::query("UPDATE deliveries SET due_at = now()").execute(hub.app.db()).await.unwrap();
    let delivery = hub.last().await;
    assert_eq!((delivery.verdict, delivery.tries), (Some(Verdict::Ran), 2));
}

#[tokio::test]
async fn labels_assignments_and_reviews_are_no_way_around_the_permission() {
    let hub = Hub::start().await;
    // GitHub lets those who triage label and assign, and everybody review.
    hub.world().set_permission(ORCHARD, "eve", "triage");
    let issue = hub.issue();
    let pull = hub.world().open_pull(ORCHARD, OWN, "Sweet apples", "", "millrace/x", "main");
    hub.settled().await;
    let acts: [(&str, &dyn Fn()); 4] = [
        ("a label", &|| hub.world().label(ORCHARD, issue, "millrace", "eve")),
        ("an assignment", &|| hub.world().assign(ORCHARD, issue, OWN, "eve")),
        ("a review", &|| {
            hub.world().review(ORCHARD, pull, "eve", "Not like this.", "changes_requested");
        }),
        ("a mention in a review", &|| {
            hub.world().review(ORCHARD, pull, "eve", "@millrace go", "commented");
        }),
    ];
    for (what, act) in acts {
        act();
        let delivery = hub.last().await;
        assert_eq!(delivery.verdict, Some(Verdict::NotAllowed), "{what}: {delivery:?}");
    }
    assert_eq!(hub.jobs().await, 0);
}

#[tokio::test]
async fn who_moves_an_issue_here_asks_for_nothing_that_is_in_it() {
    let hub = Hub::start().await;
    hub.world().add_repository("ada/meadow");
    let issue = hub.world().open_issue("ada/meadow", "eve", "Hay", "@millrace give it away");

    hub.world().transfer_issue("ada/meadow", issue, ORCHARD, "ada");

    let delivery = hub.last().await;
    assert_eq!((delivery.verdict, hub.jobs().await), (Some(Verdict::NotForUs), 0), "{delivery:?}");
}

#[tokio::test]
async fn nobody_is_told_off_for_a_review_of_somebodys_work() {
    let hub = Hub::start().await;
    let pull = hub.world().open_pull(ORCHARD, "grace", "Pears", "", "pears", "main");

    hub.world().review(ORCHARD, pull, "eve", "The core is bitter.", "changes_requested");

    assert_eq!(hub.last().await.verdict, Some(Verdict::NotForUs));
    assert!(hub.said(pull).is_empty(), "{:?}", hub.said(pull));
}
