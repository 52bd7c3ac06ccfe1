//! What Prometheus is told, and who may ask.

use app::model::{JobState, Role};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use crate::harness::{App, EventStream, until};

/// The value of a metric under exactly these labels.
fn value(text: &str, metric: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{metric} is missing:\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn a_server_tells_of_jobs_requests_streams_and_connections() {
    let app = App::start().await;
    let (_server, address) = app.server_process(app.free_port().await).await;
    let url = |path: &str| format!("http://{address}{path}");
    let metrics = async || app.http.get(url("/metrics")).send().await.unwrap().text().await.unwrap();
    let canceled = app.submit("true").await;
    app.cancel(canceled).await;
    let waiting = app.submit("true").await;
    let lanes = app.http.get(url("/api/lanes")).bearer_auth(app.token.expose_secret()).send().await.unwrap();
    assert_eq!(lanes.status(), StatusCode::OK);
    let stream =
        app.http.get(url(&format!("/api/jobs/{waiting}/stream"))).bearer_auth(app.token.expose_secret());
    let mut stream: EventStream = app.open(stream).await;
    stream.next_named("status").await;

    let text = metrics().await;

    assert_eq!(value(&text, r#"millrace_jobs{lane="command",state="queued"}"#), 1.0);
    assert_eq!(value(&text, r#"millrace_jobs{lane="command",state="canceled"}"#), 1.0);
    assert_eq!(value(&text, r#"millrace_jobs{lane="command",state="running"}"#), 0.0);
    let lanes = r#"millrace_http_request_seconds_count{method="GET",route="/api/lanes",status="200"}"#;
    assert_eq!(value(&text, lanes), 1.0);
    assert_eq!(value(&text, r#"millrace_stream_viewers{stream="job"}"#), 1.0);
    assert_eq!(value(&text, r#"millrace_up{of="postgres"}"#), 1.0);
    assert_eq!(value(&text, r#"millrace_up{of="redis"}"#), 1.0);
    assert!(value(&text, "millrace_redis_ping_seconds") > 0.0);
    let connections =
        |state: &str| value(&text, &format!("millrace_postgres_connections{{state=\"{state}\"}}"));
    assert!(connections("idle") + connections("used") >= 1.0);

    drop(stream);
    until("the viewer is gone", async || {
        value(&metrics().await, r#"millrace_stream_viewers{stream="job"}"#) == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_runner_tells_of_what_it_started_ended_and_read() {
    let app = App::start().await;
    let listen = format!("127.0.0.1:{}", app.free_port().await);
    let _runner = app.runner_process(&[("MILLRACE_RUNNER__METRICS_LISTEN", &listen)]);
    let id = app.run("seq 50").await.job.id;
    app.run("exit 1").await;
    let printed = app.output(id).await.len();

    let metrics =
        app.http.get(format!("http://{listen}/metrics")).send().await.unwrap().text().await.unwrap();

    assert_eq!(value(&metrics, r#"millrace_claim_seconds_count{lane="command"}"#), 2.0);
    assert!(metrics.contains(r#"millrace_claim_seconds_bucket{lane="command",le="0.001"}"#), "{metrics}");
    for outcome in ["succeeded", "failed"] {
        let attempts = format!("millrace_attempt_seconds_count{{lane=\"command\",outcome=\"{outcome}\"}}");
        assert_eq!(value(&metrics, &attempts), 1.0);
    }
    assert!(value(&metrics, "millrace_lines_total") > printed as f64);
}

#[tokio::test]
async fn a_runner_whose_address_for_them_is_taken_works_all_the_same() {
    let app = App::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let runner = app.runner_process(&[("MILLRACE_RUNNER__METRICS_LISTEN", &listen)]);

    assert_eq!(app.run("true").await.job.state, JobState::Succeeded);

    assert!(runner.log().contains("runner.metrics_listen"), "{}", runner.log());
}

#[tokio::test]
async fn from_elsewhere_only_an_owner_may_read_them() {
    let app = App::start().await;
    let member = app.token_of("mia", Role::Member).await;
    // As a proxy on this machine passes a request on.
    let ask = async |token: Option<&SecretString>| {
        let mut request = app.http.get(app.url("/metrics")).header("x-forwarded-for", "192.0.2.1");
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        request.send().await.unwrap().status()
    };

    assert_eq!(ask(None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(&member)).await, StatusCode::FORBIDDEN);
    assert_eq!(ask(Some(&app.token)).await, StatusCode::OK);
    assert_eq!(app.http.get(app.url("/metrics")).send().await.unwrap().status(), StatusCode::OK);
}
