//! What is asked of GitHub costs as little as it can.

use millrace::{connection::Purpose, github::RepositoryName};
use serde_json::Value;

use crate::harness::{Hub, ORCHARD, TOKEN};

/// How much of the limit of Millrace's token is used up.
async fn used(hub: &Hub) -> u64 {
    let address = format!("{}/api/v3/rate_limit", hub.github.url());
    let answer = hub.app.http.get(address).bearer_auth(TOKEN).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["rate"]["used"].as_u64().unwrap()
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing_and_what_has_is_read_anew() {
    let hub = Hub::idle(&[]).await;
    let repository: RepositoryName = ORCHARD.parse().unwrap();
    let first = hub.world().commit(ORCHARD, "next", "Plant", &[("x", "1")]);
    let head = async || {
        // Another process, which knows nothing but what is in Redis.
        let client = hub.app.connection().client(&repository, Purpose::Read).await.unwrap();
        client.branch_head(&repository, "next").await.unwrap()
    };
    assert_eq!(head().await, Some(first.clone()));
    let before = used(&hub).await;
    assert!(before > 0);

    assert_eq!(head().await, Some(first));
    assert_eq!(used(&hub).await, before);

    let second = hub.world().commit(ORCHARD, "next", "Water", &[("x", "2")]);
    assert_eq!(head().await, Some(second));
    assert_eq!(used(&hub).await, before + 1);
}

#[tokio::test]
async fn a_repository_is_found_by_an_earlier_name() {
    let hub = Hub::idle(&[]).await;
    let (before, now): (RepositoryName, RepositoryName) =
        (ORCHARD.parse().unwrap(), "ada/garden".parse().unwrap());
    let issue = hub.world().open_issue(ORCHARD, "ada", "The apples are sour", "They should be sweet.");
    hub.world().rename_repository(ORCHARD, "garden", "ada");
    let client = hub.app.connection().client(&before, Purpose::Answer).await.unwrap();

    let head = client.branch_head(&before, "main").await.unwrap();
    assert_eq!(head, hub.world().branch("ada/garden", "main"));
    let number = i64::try_from(issue).unwrap();
    client.comment(&before, number, "It is known by both.").await.unwrap();
    assert_eq!(client.latest_said(&now, number).await.unwrap().len(), 1);
}
