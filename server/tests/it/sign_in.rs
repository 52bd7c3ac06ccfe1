//! Who comes in, with what, and for how long.

use app::model::JobPage;
use chrono::TimeDelta;
use redis::AsyncCommands;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{App, Browser, location};

#[tokio::test]
async fn a_sign_in_link_works_once() {
    let app = App::start().await;
    let token = app.sign_in_token("owner").await;
    let mut browser = Browser::new(&app);

    let response = browser.sign_in(&token).await;

    assert_eq!((response.status().as_u16(), location(&response)), (303, "/"));
    assert_eq!(browser.get("/api/jobs").await.status(), 200);
    let mut other = Browser::new(&app);
    let response = other.sign_in(&token).await;
    assert_eq!((response.status().as_u16(), location(&response)), (303, "/sign-in?error=used"));
    assert_eq!(other.get("/api/jobs").await.status(), 401);
}

#[tokio::test]
async fn of_two_browsers_with_one_link_one_comes_in() {
    let app = App::start().await;
    let token = app.sign_in_token("owner").await;
    let (mut one, mut two) = (Browser::new(&app), Browser::new(&app));

    let (first, second) = tokio::join!(one.sign_in(&token), two.sign_in(&token));

    let mut locations = [location(&first), location(&second)];
    locations.sort_unstable();
    assert_eq!(locations, ["/", "/sign-in?error=used"]);
}

#[tokio::test]
async fn a_link_that_has_run_out_or_never_was_says_so() {
    let app = App::start().await;
    let late = app.sign_in_token_for("owner", TimeDelta::seconds(-1)).await;

    for (token, answer) in [(late.as_str(), "expired"), ("nonsense", "invalid"), ("", "invalid")] {
        let mut browser = Browser::new(&app);
        let response = browser.sign_in(token).await;
        assert_eq!(location(&response), format!("/sign-in?error={answer}"));
        assert_eq!(browser.get("/api/jobs").await.status(), 401);
    }
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let app = App::start().await;
    let token = app.sign_in_token("owner").await;
    let mut browser = Browser::new(&app);

    assert_eq!(browser.get(&format!("/sign-in?token={token}")).await.status(), 200);

    assert_eq!(location(&browser.sign_in(&token).await), "/");
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_no_script() {
    let app = App::start().await;
    let response = Browser::new(&app).sign_in(&app.sign_in_token("owner").await).await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    assert!(attributes.contains(&"HttpOnly") && attributes.contains(&"SameSite=Lax"), "{cookie}");
    assert!(
        attributes.contains(&"Path=/") && attributes.iter().any(|a| a.starts_with("Max-Age=")),
        "{cookie}"
    );
    assert!(!attributes.contains(&"Secure"), "{cookie}");

    let app = App::with(&[("MILLRACE_SERVER__PUBLIC_URL", "https://millrace.example.com")]).await;
    let response = Browser::new(&app).sign_in(&app.sign_in_token("owner").await).await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_session_that_was_planted_is_worth_nothing_after_signing_in() {
    let app = App::start().await;
    let mut browser = Browser::signed_in(&app, "owner").await;
    let planted = browser.cookie.clone();

    browser.sign_in(&app.sign_in_token("owner").await).await;

    assert_ne!(browser.cookie, planted);
    assert_eq!(browser.get("/api/jobs").await.status(), 200);
    browser.cookie = planted;
    assert_eq!(browser.get("/api/jobs").await.status(), 401);
}

#[tokio::test]
async fn a_session_survives_a_restart_of_the_server() {
    let app = App::start().await;
    let browser = Browser::signed_in(&app, "owner").await;
    let port = app.free_port().await;
    for _ in 0..2 {
        let (mut server, address) = app.server_process(port).await;
        let response = browser.send(app.http.get(format!("http://{address}/api/jobs"))).await;
        assert_eq!(response.status(), 200);
        assert!(server.stop().await.success());
    }
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let app = App::start().await;
    let browser = Browser::signed_in(&app, "owner").await;
    let path = server_function("sign_out");

    let response = browser.post(&path).await;

    assert!(response.status().is_success() || response.status().is_redirection(), "{}", response.status());
    assert_eq!(browser.get("/api/jobs").await.status(), 401, "the cookie's value is worth nothing any more");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(app.db()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn another_site_cannot_act_in_a_browsers_name() {
    let app = App::start().await;
    let browser = Browser::signed_in(&app, "owner").await;
    let cookie = browser.cookie.as_deref().unwrap();
    let post = || app.http.post(app.url("/api/jobs")).header(COOKIE, cookie).json(&app.new_job(json!({})));

    for foreign in [
        post(),
        post().header(ORIGIN, "https://evil.example.com"),
        post().header(ORIGIN, "null"),
        post().header("sec-fetch-site", "cross-site"),
        post().header("sec-fetch-site", "same-site"),
        post().header("sec-fetch-site", "cross-site").header(ORIGIN, app.url("")),
    ] {
        let response = foreign.send().await.unwrap();
        assert_eq!(response.status(), 403);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "foreign_origin");
    }
    // Nor by saying that it has a token when it has none.
    let pretended = post().header("authorization", "Bearer x").header(ORIGIN, "https://evil.example.com");
    assert_eq!(pretended.send().await.unwrap().status(), 401);
    let page: JobPage = serde_json::from_value(app.get_json("/api/jobs").await).unwrap();
    assert!(page.jobs.is_empty());

    assert_eq!(post().header(ORIGIN, app.url("")).send().await.unwrap().status(), 201);
    assert_eq!(post().header("sec-fetch-site", "same-origin").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_token_acts_without_an_origin() {
    let app = App::start().await;

    assert_eq!(app.post_json("/api/jobs", &app.new_job(json!({}))).await.status(), 201);
}

#[tokio::test]
async fn secrets_are_kept_nowhere() {
    let app = App::start().await;
    let link = app.sign_in_token("owner").await;
    let mut browser = Browser::new(&app);
    browser.sign_in(&link).await;
    app.get_json("/api/jobs").await;
    let session = browser.cookie.as_deref().unwrap().split_once('=').unwrap().1;

    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .fetch_all(app.db())
    .await
    .unwrap();
    assert!(tables.iter().any(|table| table == "sessions"), "{tables:?}");
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
                .fetch_all(app.db())
                .await
                .unwrap();
        for secret in [app.token.expose_secret(), &link, session] {
            // Bytes are shown as hexadecimal digits.
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                rows.iter().all(|row| !row.contains(secret) && !row.contains(&hex)),
                "a secret in {table}"
            );
        }
    }
    let keys: Vec<String> = app.queue().connection().keys("*").await.unwrap();
    assert!(keys.iter().all(|key| !key.contains(session) && !key.contains(app.token.expose_secret())));
}

/// The address of a server function.
fn server_function(name: &str) -> String {
    let (path, _) = leptos::server_fn::axum::server_fn_paths()
        .find(|(path, _)| path.trim_start_matches("/api/").trim_end_matches(char::is_numeric) == name)
        .unwrap_or_else(|| panic!("there is no server function {name}"));
    path.to_owned()
}
