//! The ledger of deliveries, for owners.

use app::model::Role;
use reqwest::Method;

use crate::harness::{Browser, Hub};

#[tokio::test]
async fn a_replay_is_worked_on_anew() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    let delivery = hub.comment(issue, "ada", "@millrace go").await;
    let first = hub.job_of(&delivery).await.job;
    let answer = hub.app.post(&format!("/api/deliveries/{}/replay", delivery.id)).await;
    assert_eq!(answer.status(), 200);
    let again = hub.last().await;
    assert_eq!((again.id, again.replays), (delivery.id, 1));
    let second = hub.job_of(&again).await.job;
    assert_eq!(second.parent, Some(first.id));
    assert_eq!(hub.jobs().await, 2);
}

#[tokio::test]
async fn the_ledger_is_searched_page_by_page_and_for_owners() {
    let hub = Hub::start().await;
    let issue = hub.issue();
    for body in ["one", "two", "@millrace go"] {
        hub.comment(issue, "grace", body).await;
    }
    let ids = async |query: &str| -> (Vec<String>, Option<String>) {
        let page = hub.app.get_json(&format!("/api/deliveries?{query}")).await;
        let ids = page["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect();
        (ids, page["next"].as_str().map(str::to_owned))
    };
    let (all, none) = ids("").await;
    // The webhook's first word, the issue, and three comments.
    assert_eq!((all.len(), none), (5, None));
    let (first, next) = ids("limit=3").await;
    let (rest, end) = ids(&format!("limit=3&cursor={}", next.unwrap())).await;
    assert_eq!(([first, rest].concat(), end), (all, None));
    assert_eq!(ids("verdict=ran").await.0.len(), 1);
    assert_eq!(ids("q=grace%20%231%20comment").await.0.len(), 3);
    assert_eq!(ids("q=%25").await.0.len(), 0);
    assert_eq!(hub.app.get("/api/deliveries?cursor=x").await.status(), 422);

    let member = hub.app.token_of("member", Role::Member).await;
    let (ran, _) = ids("verdict=ran").await;
    for (method, path) in [
        (Method::GET, "/api/deliveries".to_owned()),
        (Method::GET, format!("/api/deliveries/{}", ran[0])),
        (Method::POST, format!("/api/deliveries/{}/replay", ran[0])),
    ] {
        use secrecy::ExposeSecret as _;
        let request = hub.app.http.request(method, hub.app.url(&path)).bearer_auth(member.expose_secret());
        assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
    }
    let browser = Browser::signed_in(&hub.app, "owner").await;
    let page = browser.get(&format!("/deliveries?q=grace&open={}", ran[0])).await.text().await.unwrap();
    assert!(
        page.contains("Made a job")
            && page.contains("Hide payload")
            && page.contains("&quot;action&quot;") | page.contains("\"action\"")
    );
}
