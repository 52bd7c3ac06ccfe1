//! How deliveries are taken in: once each, signed, within bounds.

use app::model::Verdict;
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::comment_event;
use crate::harness::{App, Browser, Hub, ORCHARD};

#[tokio::test]
async fn the_same_delivery_a_hundred_times_at_once_makes_one_job() {
    let hub = Hub::start().await;
    hub.issue();
    hub.settled().await;
    let (id, body) = (Uuid::new_v4().to_string(), comment_event(99, "ada", "@millrace go").to_string());
    let answers = join_all((0..100).map(|_| hub.deliver("issue_comment", &id, body.as_bytes()))).await;
    assert!(answers.iter().all(|answer| answer.status() == 202));
    let delivery = hub.last().await;
    assert_eq!((delivery.id.to_string(), delivery.seen, delivery.verdict), (id, 100, Some(Verdict::Ran)));
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn a_comment_that_two_webhooks_tell_of_makes_one_job() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    hub.world().add_plain_webhook(ORCHARD, &hub.app.url("/webhooks/github"), "a webhook's secret");
    hub.world().comment(ORCHARD, issue, "ada", "@millrace go");
    let mut verdicts = hub.verdicts("issue_comment").await;
    verdicts.sort_unstable();
    assert_eq!(verdicts, [Verdict::Ran, Verdict::Duplicate]);
    assert_eq!(hub.jobs().await, 1);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_kept_within_bounds() {
    let hub = Hub::start().await;
    let post = || hub.app.http.post(hub.app.url("/webhooks/github")).header("x-github-event", "push");
    let unsigned = post().body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert!(unsigned.text().await.unwrap().contains("no signature"));
    for _ in 0..40 {
        let long = "x".repeat(100_000);
        let answer = post().header("x-hub-signature-256", "sha256=00").body(long).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    let all = hub.deliveries().await;
    assert_eq!(all.len(), 30, "no more than that within a minute");
    assert!(all.iter().all(|delivery| delivery.verdict == Some(Verdict::BadSignature)));
    let detail = hub.app.get_json(&format!("/api/deliveries/{}", all[0].id)).await;
    assert_eq!(detail["payload"].as_str().unwrap().len(), 2 << 10);
    assert_eq!(hub.app.post(&format!("/api/deliveries/{}/replay", all[0].id)).await.status(), 409);
}

#[tokio::test]
async fn of_what_was_signed_wrongly_only_the_latest_is_kept() {
    let hub = Hub::start().await;
    sqlx::query(
        "INSERT INTO deliveries (id, event, payload, verdict, received_at)
         SELECT gen_random_uuid(), 'push', '', 'bad_signature', now() - interval '1 hour'
         FROM generate_series(1, 1200)",
    )
    .execute(hub.app.db())
    .await
    .unwrap();
    let post = hub.app.http.post(hub.app.url("/webhooks/github")).header("x-github-event", "fork");
    assert_eq!(post.body("{}").send().await.unwrap().status(), 401);
    let (kept, latest): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE event = 'fork') FROM deliveries WHERE verdict = 'bad_signature'",
    )
    .fetch_one(hub.app.db())
    .await
    .unwrap();
    assert_eq!((kept, latest), (1_000, 1));
}

#[tokio::test]
async fn guessing_secrets_is_soon_refused() {
    let hub = Hub::with(&[("MILLRACE_LIMITS__FAILED_SIGN_INS_PER_MINUTE", "3")]).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let post =
            hub.app.http.post(hub.app.url("/webhooks/github")).header("x-hub-signature-256", "sha256=00");
        statuses.push(post.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429]);
}

#[tokio::test]
async fn bad_signatures_of_others_keep_out_nothing_that_is_signed() {
    let hub = Hub::with(&[("MILLRACE_LIMITS__FAILED_SIGN_INS_PER_MINUTE", "10")]).await;
    hub.settled().await;
    for number in 1..=50 {
        let post =
            hub.app.http.post(hub.app.url("/webhooks/github")).header("x-hub-signature-256", "sha256=00");
        let expected = if number <= 10 { 401 } else { 429 };
        assert_eq!(post.send().await.unwrap().status(), expected, "the {number}th");
    }
    assert_eq!(hub.deliver_new("push", &json!({})).await.status(), 202);
    let wrong = |delivery: &app::model::Delivery| delivery.verdict == Some(Verdict::BadSignature);
    assert_eq!(hub.settled().await.into_iter().filter(wrong).count(), 10, "what is refused is not kept");
    let sign_in = Browser::new(&hub.app).sign_in("nonsense").await;
    assert_eq!(sign_in.status(), 303, "signing in has a count of its own");
}

#[tokio::test]
async fn what_is_signed_and_cannot_be_read_is_kept_all_the_same() {
    let hub = Hub::start().await;
    let id = || Uuid::new_v4().to_string();
    let wrong: [(&str, String, &[u8], &str); 5] = [
        ("issue_comment", id(), b"\xff\xfe{}", "not text in UTF-8"),
        ("issue_comment", id(), b"{", "not what GitHub's documentation says"),
        ("issue_comment", id(), b"payload=%7B%7D", "application/json"),
        ("", id(), b"{}", "X-GitHub-Event is missing"),
        ("push", "17".to_owned(), b"{}", "X-GitHub-Delivery holds no id"),
    ];
    for (event, id, body, words) in &wrong {
        let answer = hub.deliver(event, id, body).await;
        assert_eq!(answer.status(), 400, "{words}");
        assert!(answer.text().await.unwrap().contains(words), "{words}");
    }
    let all = hub.settled().await;
    assert_eq!(all.len(), wrong.len());
    assert!(all.iter().all(|delivery| delivery.verdict == Some(Verdict::Error) && delivery.detail.is_some()));
    // The server is as it was.
    let large = vec![b' '; (25 << 20) + 1];
    assert_eq!(hub.deliver("push", &id(), &large).await.status(), 413);
    assert_eq!(hub.deliver("push", &id(), b"{}").await.status(), 202);
}

#[tokio::test]
async fn without_a_connection_nothing_is_taken() {
    let app = App::start().await;
    let answer = app.http.post(app.url("/webhooks/github")).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("not connected to GitHub"));
    assert_eq!(app.http.get(app.url("/webhooks/github")).send().await.unwrap().status(), 405);
}
