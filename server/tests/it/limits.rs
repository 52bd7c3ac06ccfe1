//! Whoever asks too often is told when to ask again, and the others do not notice.

use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::harness::{App, Browser, location};

/// The value of `parameter` in a `RateLimit` header.
fn parameter(response: &Response, header: &str, parameter: &str) -> u64 {
    let value = response.headers()[header].to_str().unwrap();
    let parameter = value.split(';').find_map(|item| item.strip_prefix(&format!("{parameter}=")));
    parameter.unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// The answer must be 429 and say when to come back.
async fn refused(response: Response) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(parameter(&response, "ratelimit", "r"), 0);
    assert_eq!(parameter(&response, "ratelimit", "t"), seconds);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "too_many_requests");
    assert!(problem["detail"].as_str().unwrap().contains(" second"), "{problem}");
}

#[tokio::test]
async fn sign_ins_that_fail_too_often_are_refused_and_good_ones_do_not_count() {
    let app = App::with(&[("MILLRACE_LIMITS__FAILED_SIGN_INS_PER_MINUTE", "3")]).await;
    for _ in 0..5 {
        Browser::signed_in(&app, "owner").await;
    }
    for _ in 0..3 {
        assert_eq!(location(&Browser::new(&app).sign_in("nonsense").await), "/sign-in?error=invalid");
    }

    refused(Browser::new(&app).sign_in("nonsense").await).await;

    let good = app.sign_in_token("owner").await;
    refused(Browser::new(&app).sign_in(&good).await).await;
    assert_eq!(app.get("/api/jobs").await.status(), StatusCode::OK, "everything else goes on");
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_refused_and_another_is_not() {
    let app = App::with(&[("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "5")]).await;
    let other = app.token_of("mia", app::model::Role::Owner).await;
    for left in [4, 3, 2, 1, 0] {
        let response = app.get("/api/lanes").await;
        assert_eq!((response.status(), parameter(&response, "ratelimit", "r")), (StatusCode::OK, left));
        assert_eq!(parameter(&response, "ratelimit-policy", "q"), 5);
        assert_eq!(parameter(&response, "ratelimit-policy", "w"), 60);
    }

    refused(app.get("/api/lanes").await).await;

    let response =
        app.http.get(app.url("/api/lanes")).bearer_auth(other.expose_secret()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    for path in ["/healthz", "/readyz", "/favicon.svg"] {
        assert_eq!(app.get(path).await.status(), StatusCode::OK, "{path} is not counted");
    }
}

#[tokio::test]
async fn inventing_tokens_gains_nothing() {
    let app = App::with(&[("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "3")]).await;
    let with =
        async |token: String| app.http.get(app.url("/api/lanes")).bearer_auth(token).send().await.unwrap();
    for number in 0..3 {
        assert_eq!(with(format!("mr_{number}")).await.status(), StatusCode::UNAUTHORIZED);
    }

    refused(with("mr_another".to_owned()).await).await;
}

#[tokio::test]
async fn an_address_from_a_header_counts_only_where_a_proxy_is_trusted() {
    let ask = async |app: &App, from: &str| {
        app.http.get(app.url("/api/lanes")).header("x-forwarded-for", from).send().await.unwrap()
    };
    let trusting = App::with(&[
        ("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "1"),
        ("MILLRACE_SERVER__TRUSTED_PROXIES", "127.0.0.0/8, ::1"),
    ])
    .await;
    assert_eq!(ask(&trusting, "192.0.2.1").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&trusting, "192.0.2.2").await.status(), StatusCode::UNAUTHORIZED);
    refused(ask(&trusting, "192.0.2.1").await).await;

    let plain = App::with(&[("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "1")]).await;
    assert_eq!(ask(&plain, "192.0.2.1").await.status(), StatusCode::UNAUTHORIZED);
    refused(ask(&plain, "192.0.2.2").await).await;
}
