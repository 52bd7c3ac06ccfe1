//! Redis as other people run it. On each kind a job goes from its request to its last line, and everything that waits for
//! Redis is woken by it.

use app::model::{JobState, Kind, Stream};
use millrace::{config::RedisConfig, queue::Queue};
use redis::Value;
use rustix::process::Signal;

use crate::harness::{
    App, Authority, LIMIT, PASSWORD, RedisCluster, RedisNode, assert_gapless, lines_of, texts, until,
};

async fn app_on(url: &str) -> App {
    App::with(&[("MILLRACE_REDIS__URL", url)]).await
}

/// Runs a job while somebody watches, lets a bell ring, and rings at the runners' door.
async fn everything_works(app: &App) {
    a_bell_is_heard(app).await;
    let mut door = app.queue().doorbell(&[Kind::Command]);
    let gate = app.gate("middle");
    let script = format!("seq 300\n{}\nseq 301 600", gate.wait());

    // Nobody else waits there yet, so what opens it is the job's ring: the other end of waiting fails the test.
    let (opened, id) = tokio::join!(tokio::time::timeout(LIMIT, door.wait(2 * LIMIT)), app.submit(&script));
    assert_eq!(opened.expect("the door opens").unwrap(), Some(Kind::Command));
    let runner = app.runner().await;
    let mut viewer = app.stream(id).await;
    let mut lines = viewer.take_lines(302).await;
    gate.open();
    lines.extend(lines_of(&viewer.rest().await));

    assert_eq!(app.wait_until(id, JobState::Succeeded).await.attempt, 1);
    assert_eq!(texts(&lines, Stream::Stdout), (1..=600).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_gapless(&lines, 1);
    runner.stop().await;
}

/// Rings until it is heard: a subscription goes to Redis in the background.
async fn a_bell_is_heard(app: &App) {
    let mut ring = app.queue().bells().listen("test-bell");
    until("the bell is heard", async || {
        let _ = app.queue().ring("test-bell", b"now").await;
        let heard = tokio::time::timeout(std::time::Duration::from_millis(100), ring.heard()).await;
        heard.is_ok_and(|message| message.is_some_and(|message| message == "now"))
    })
    .await;
}

#[tokio::test]
async fn a_server_may_ask_for_a_password() {
    let redis = RedisNode::start(&[]).await;

    everything_works(&app_on(&format!("redis://:{PASSWORD}@{}", redis.address())).await).await;
}

#[tokio::test]
async fn a_server_with_tls_is_trusted_for_its_certificate_alone() {
    let authority = Authority::new();
    let redis = RedisNode::start_tls(&authority).await;
    let url = format!("rediss://:{PASSWORD}@{}", redis.address());

    let app =
        App::with(&[("MILLRACE_REDIS__URL", &url), ("MILLRACE_REDIS__CA_FILE", &authority.certificate())])
            .await;
    everything_works(&app).await;

    let stranger = RedisConfig { ca_file: None, ..app.config.redis.clone() };
    let refused = Queue::connect(&stranger).await.err().expect("nobody vouches for it");
    assert!(format!("{refused:#}").contains("certificate"), "{refused:#}");
}

#[tokio::test]
async fn a_cluster_is_used_through_any_of_its_nodes() {
    let cluster = RedisCluster::start().await;
    let app = app_on(&cluster.url()).await;

    everything_works(&app).await;

    for node in &cluster.0 {
        node.ask::<Value>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        node.ask::<Value>(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
    everything_works(&app).await;
}

#[tokio::test]
async fn a_job_goes_on_while_sentinels_choose_another_master() {
    let master = RedisNode::start(&["masterauth s3cret"]).await;
    let replica =
        RedisNode::start(&["masterauth s3cret", &format!("replicaof 127.0.0.1 {}", master.port)]).await;
    let sentinel = RedisNode::start_sentinel(&master).await;
    until("the Sentinel knows the replica", async || {
        let replicas: Vec<Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]).await;
        let state: String = replica.ask(&["INFO", "replication"]).await;
        replicas.len() == 1 && state.contains("master_link_status:up")
    })
    .await;
    let address = sentinel.address();
    let app =
        app_on(&format!("redis+sentinel://:{PASSWORD}@{address}/main?sentinel_password={PASSWORD}")).await;
    let runner = app.runner().await;
    let (before, after) = (app.gate("before"), app.gate("after"));
    let id =
        app.submit(&format!("seq 100\n{}\nseq 101 200\n{}\nseq 201 300", before.wait(), after.wait())).await;
    let mut viewer = app.stream(id).await;
    let mut lines = viewer.take_lines(102).await;

    master.signal(Signal::KILL);
    before.open();
    until("the replica is master", async || {
        let named: Vec<String> = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]).await;
        named[1] == replica.port.to_string()
    })
    .await;
    lines.extend(viewer.take_lines(100).await);
    after.open();
    lines.extend(lines_of(&viewer.rest().await));

    assert_eq!(app.wait_until(id, JobState::Succeeded).await.attempt, 1);
    assert_eq!(texts(&lines, Stream::Stdout), (1..=300).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_gapless(&lines, 1);
    runner.stop().await;
    everything_works(&app).await;
}
