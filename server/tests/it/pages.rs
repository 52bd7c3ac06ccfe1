//! Pages and files as a browser gets them.

use app::model::{JobId, Role};
use reqwest::{Response, header::ACCEPT_ENCODING};
use serde_json::Value;

use crate::harness::{App, Browser, location};

async fn html(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let text = response.text().await.unwrap();
    assert!(text.starts_with("<!DOCTYPE html>"), "{text}");
    text
}

/// Addresses of the site's own files in a page.
fn files_in(page: &str) -> Vec<String> {
    let mut files: Vec<String> = page
        .split(['"', '\''])
        .filter(|word| word.starts_with("/pkg/") || word.starts_with("/fonts/"))
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    files
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_the_sign_in_page() {
    let app = App::start().await;
    let stranger = Browser::new(&app);

    for (path, way) in [
        ("/", "/sign-in"),
        ("/new", "/sign-in?next=%2Fnew"),
        ("/nowhere?a=b&c", "/sign-in?next=%2Fnowhere%3Fa%3Db%26c"),
    ] {
        let response = stranger.get(path).await;
        assert_eq!((response.status().as_u16(), location(&response)), (303, way), "{path}");
    }
    let page = html(stranger.get("/sign-in?token=x&next=%2Fnew").await, 200).await;
    assert!(page.contains(r#"name="next" value="/new""#), "{page}");
    for path in ["/sign-in", "/sign-in?token=x", "/sign-in?error=used", "/sign-in?error=%3Cscript%3E"] {
        let page = html(stranger.get(path).await, 200).await;
        assert!(!page.contains("<script>"), "{page}");
    }
}

#[tokio::test]
async fn every_page_is_rendered_for_whoever_is_signed_in() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let waiting = app.submit("true").await;
    let done = app.run("echo '<b>marked</b>'; exit 1").await.job.id;
    let browser = Browser::signed_in(&app, "owner").await;

    for path in [
        "/".to_owned(),
        "/?state=failed".to_owned(),
        "/new".to_owned(),
        "/lanes".to_owned(),
        "/settings".to_owned(),
        format!("/jobs/{done}"),
        format!("/jobs/{waiting}"),
    ] {
        let page = html(browser.get(&path).await, 200).await;
        if let Some(at) = page.find("<b>marked</b>") {
            panic!("what a job prints is text: {path}: {}", &page[at.saturating_sub(100)..at + 100]);
        }
    }
}

#[tokio::test]
async fn members_are_not_led_to_the_pages_of_owners() {
    let app = App::start().await;
    app.person("member", Role::Member).await;

    for (login, is_owner) in [("owner", true), ("member", false)] {
        let page = html(Browser::signed_in(&app, login).await.get("/").await, 200).await;
        assert!(page.contains("href=\"/settings\""), "{page}");
        for path in ["/lanes", "/deliveries"] {
            assert_eq!(page.contains(&format!("href=\"{path}\"")), is_owner, "{path} for {login}");
        }
    }
}

#[tokio::test]
async fn a_page_or_job_that_does_not_exist_is_404_and_still_a_page() {
    let app = App::start().await;
    let browser = Browser::signed_in(&app, "owner").await;

    for path in ["/nowhere".to_owned(), format!("/jobs/{}", JobId::new()), "/jobs/nonsense".to_owned()] {
        html(browser.get(&path).await, 404).await;
    }
}

#[tokio::test]
async fn only_scripts_with_the_pages_nonce_run() {
    let app = App::start().await;
    let browser = Browser::new(&app);
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let response = browser.get("/sign-in").await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let page = html(response, 200).await;

        assert!(policy.contains("default-src 'none'"), "{policy}");
        let script_source = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap();
        assert!(!script_source.contains("'unsafe-inline'"), "{policy}");
        let scripts: Vec<&str> =
            page.split("<script").skip(1).filter_map(|rest| rest.split('>').next()).collect();
        assert!(!scripts.is_empty());
        let with_nonce = format!("nonce=\"{nonce}\"");
        assert!(scripts.iter().all(|tag| tag.contains(&with_nonce)), "{page}");
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1], "each page has its own");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = App::start().await;
    let browser = Browser::new(&app);
    let asset = files_in(&browser.get("/sign-in").await.text().await.unwrap()).remove(0);

    for path in ["/sign-in", "/", "/api/jobs", "/api/nowhere", "/healthz", &asset] {
        let response = browser.get(path).await;
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(response.headers()["x-frame-options"], "DENY", "{path}");
        assert_eq!(response.headers()["referrer-policy"], "same-origin", "{path}");
    }
}

#[tokio::test]
async fn the_sites_files_are_kept_for_ever_and_come_compressed_to_whoever_takes_it() {
    let app = App::start().await;
    let page = Browser::new(&app).get("/sign-in").await.text().await.unwrap();
    let files = files_in(&page);
    for kind in [".js", ".wasm", ".css", ".woff2"] {
        assert!(files.iter().any(|file| file.ends_with(kind)), "{kind}: {files:?}");
    }

    for file in &files {
        let plain = app.http.get(app.url(file)).send().await.unwrap();
        assert_eq!(plain.status(), 200, "{file}");
        assert_eq!(plain.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert!(!plain.headers().contains_key("content-encoding"));
        let length = plain.bytes().await.unwrap().len();
        if file.ends_with(".woff2") {
            continue;
        }
        for (accepted, expected) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")]
        {
            let packed = app.http.get(app.url(file)).header(ACCEPT_ENCODING, accepted).send().await.unwrap();
            assert_eq!(packed.headers()["content-encoding"], expected, "{file}");
            assert_eq!(packed.headers()["vary"], "accept-encoding");
            assert!(packed.bytes().await.unwrap().len() < length, "{file}");
        }
    }
}

#[tokio::test]
async fn every_page_loads_the_code_of_its_islands_and_only_a_jobs_page_that_of_a_job() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let browser = Browser::signed_in(&app, "owner").await;

    for (path, shows_job) in [("/", false), ("/lanes", false), (&*format!("/jobs/{id}"), true)] {
        let page = html(browser.get(path).await, 200).await;
        let file = files_in(&page).into_iter().find(|file| file.ends_with(".js")).unwrap();
        let script = app.http.get(app.url(&file)).send().await.unwrap().text().await.unwrap();
        let islands: Vec<_> =
            page.split("data-component=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(islands.len() > 1, "{path}: {islands:?}");
        for island in islands {
            assert!(script.contains(&format!("export function {island}(")), "{path}: {island}");
        }
        assert_eq!(script.contains("export function JobView_"), shows_job, "{path}");
    }
}

#[tokio::test]
async fn pages_and_answers_come_compressed_but_streams_do_not() {
    let app = App::start().await;
    let id = app.submit("true").await;

    let page = app.http.get(app.url("/sign-in")).header(ACCEPT_ENCODING, "gzip").send().await.unwrap();
    assert_eq!(page.headers()["content-encoding"], "gzip");
    for path in [format!("/api/jobs/{id}/stream"), "/api/jobs/stream".to_owned()] {
        let stream = app
            .request(reqwest::Method::GET, &path)
            .header(ACCEPT_ENCODING, "gzip, br")
            .send()
            .await
            .unwrap();
        assert!(!stream.headers().contains_key("content-encoding"), "{path}");
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        assert_eq!(stream.headers()["cache-control"], "no-cache, no-transform");
    }
}

#[tokio::test]
async fn health_says_whether_the_server_lives_and_whether_it_can_work() {
    let app = App::start().await;
    let alive = app.http.get(app.url("/healthz")).send().await.unwrap();
    assert_eq!(alive.status(), 200);

    let ready = app.http.get(app.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let found: Value = ready.json().await.unwrap();
    assert_eq!(found, serde_json::json!({ "postgres": "ok", "redis": "ok" }));
}

#[tokio::test]
async fn a_browser_is_told_in_a_page_that_the_database_is_away() {
    let app = App::start().await;
    let browser = Browser::signed_in(&app, "owner").await;
    app.db().close().await;
    let ask = |accept: &'static str| browser.send(app.http.get(app.url("/")).header("accept", accept));

    let response = ask("text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!(response.headers()["retry-after"], "5");
    let page = html(response, 503).await;
    assert!(page.contains("Try again") && page.contains("Nothing was lost"), "{page}");
    let response = ask("application/json").await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}
