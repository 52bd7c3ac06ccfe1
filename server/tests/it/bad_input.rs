//! What cannot be done is answered with what is wrong and what would be right, and changes nothing.

use app::model::{JobId, JobPage};
use reqwest::{Method, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::harness::App;

/// The answer must be problem+json with this status; returns it.
async fn problem(response: Response, status: u16) -> Value {
    let (found, kind) = (response.status(), response.headers().get(CONTENT_TYPE).cloned());
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(kind.unwrap(), "application/problem+json", "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    for field in ["title", "detail", "code"] {
        assert!(
            problem[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field} is missing: {problem}"
        );
    }
    problem
}

/// Asks for a job with these fields, which must be refused because of one field.
async fn refused(app: &App, fields: Value, field: &str) -> String {
    let response = app.post_json("/api/jobs", &app.new_job(fields)).await;
    let problem = problem(response, 422).await;
    assert_eq!(problem["field"], field, "{problem}");
    assert_eq!(problem["code"], "invalid");
    problem["detail"].as_str().unwrap().to_owned()
}

async fn no_job_was_made(app: &App) {
    let page: JobPage = serde_json::from_value(app.get_json("/api/jobs").await).unwrap();
    assert!(page.jobs.is_empty());
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_with_what_would_be_right() {
    let app = App::with(&[("MILLRACE_LIMITS__SCRIPT_BYTES", "100")]).await;

    refused(&app, json!({ "kind": "dance" }), "kind").await;
    refused(&app, json!({ "kind": "agent" }), "prompt").await;
    refused(&app, json!({ "kind": "agent", "prompt": "x", "agent": "nobody" }), "agent").await;
    refused(&app, json!({ "kind": "agent", "prompt": "x", "model": "--dangerous" }), "model").await;
    refused(&app, json!({ "priority": "urgent" }), "priority").await;
    refused(&app, json!({ "max_attempts": 0 }), "max_attempts").await;
    refused(&app, json!({ "backoff_ms": -1 }), "backoff_ms").await;
    refused(&app, json!({ "run_at": -1 }), "run_at").await;
    refused(&app, json!({ "run_at": 4_000_000_000_000_i64 }), "run_at").await;
    refused(&app, json!({ "script": "" }), "script").await;
    refused(&app, json!({ "script": " \n\t" }), "script").await;
    refused(&app, json!({ "script": null }), "script").await;
    refused(&app, json!({ "script": "echo \u{0}" }), "script").await;
    let detail = refused(&app, json!({ "script": "x".repeat(101) }), "script").await;
    assert!(detail.contains("101 bytes") && detail.contains("100 are allowed"), "{detail}");

    no_job_was_made(&app).await;
}

#[tokio::test]
async fn a_repository_or_ref_that_is_none_is_refused() {
    let app = App::start().await;

    for repository in [
        "",
        "  ",
        "--upload-pack=touch /tmp/x",
        "--upload-pack=id",
        "-c",
        "ext::sh -c id",
        "ext::id",
        "fd::7",
        "ftp://example.com/a",
        "relative/path",
        "https://",
        "https://user:password@example.com/a",
        "https://token@example.com/a",
        "ssh://-oProxyCommand=id/a",
        "-oProxyCommand=id@example.com:a",
        "git@-oProxyCommand=id:a",
        "git@example.com:--upload-pack=id",
        "https://example.com/a\u{0}b",
        "https://example.com/a\nb",
    ] {
        refused(&app, json!({ "repository": repository }), "repository").await;
    }
    for git_ref in [
        "--upload-pack=id",
        "-x",
        "a..b",
        "a b",
        "main:main",
        "a\u{0}b",
        "@",
        "a^{tree}",
        "x".repeat(256).as_str(),
    ] {
        refused(&app, json!({ "ref": git_ref }), "ref").await;
    }

    no_job_was_made(&app).await;
}

#[tokio::test]
async fn a_path_is_refused_where_local_repositories_are() {
    let app = App::with(&[("MILLRACE_RUNNER__LOCAL_REPOSITORIES", "refuse")]).await;

    for repository in [app.repo.address(), format!("file://{}", app.repo.address())] {
        let detail = refused(&app, json!({ "repository": repository }), "repository").await;
        assert!(detail.contains("local_repositories"), "{detail}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_job_is_answered_by_what_is_wrong_with_it() {
    let app = App::start().await;
    let post = async |kind: &str, body: &[u8]| {
        app.request(Method::POST, "/api/jobs")
            .header(CONTENT_TYPE, kind)
            .body(body.to_vec())
            .send()
            .await
            .unwrap()
    };

    for body in [&b"{"[..], b"", b"nonsense", b"{\"kind\": \"command\",}"] {
        assert_eq!(problem(post("application/json", body).await, 400).await["code"], "invalid_json");
    }
    problem(post("application/json", b"{\"kind\": \"\xff\xfe\"}").await, 400).await;
    problem(post("application/json", b"{\"kind\": \"\\ud800\"}").await, 400).await;
    for (body, part) in [
        ("7", "an object or a list of objects"),
        ("\"x\"", "an object or a list of objects"),
        ("{\"kind\": 7}", "kind"),
        ("{\"max_attempts\": -1}", "max_attempts"),
        ("[{}, {\"run_at\": \"tomorrow\"}]", "[1].run_at"),
    ] {
        let problem = problem(post("application/json", body.as_bytes()).await, 422).await;
        assert_eq!(problem["code"], "invalid_json");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
    }
    problem(post("text/plain", b"{}").await, 415).await;
    problem(app.post("/api/jobs").await, 415).await;

    no_job_was_made(&app).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not() {
    let app = App::with(&[("MILLRACE_SERVER__MAX_BODY_BYTES", "5000")]).await;
    let body = serde_json::to_vec(&app.new_job(json!({ "script": "x".repeat(5000) }))).unwrap();
    let request = || app.request(Method::POST, "/api/jobs").header(CONTENT_TYPE, "application/json");

    let told = request().body(body.clone()).send().await.unwrap();
    assert_eq!(problem(told, 413).await["code"], "too_large");

    let chunks = body.chunks(1000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let untold =
        request().body(reqwest::Body::wrap_stream(futures::stream::iter(chunks))).send().await.unwrap();
    assert_eq!(problem(untold, 413).await["code"], "too_large");

    no_job_was_made(&app).await;
}

#[tokio::test]
async fn a_prompt_of_ten_megabytes_is_refused_by_its_field() {
    let app = App::start().await;
    let prompt = "x".repeat(10 << 20);

    let fields = json!({ "kind": "agent", "script": null, "agent": "demo", "prompt": prompt });
    let detail = refused(&app, fields, "prompt").await;

    assert!(detail.contains("10485760 bytes") && detail.contains("8388608 are allowed"), "{detail}");
    no_job_was_made(&app).await;
}

#[tokio::test]
async fn a_script_up_to_its_limit_is_taken_however_long_its_json_is() {
    let app = App::start().await;
    // Each line break is two bytes in JSON.
    let script = format!("echo taken{}", "\n".repeat((1 << 20) - 10));

    let _runner = app.runner().await;
    let job = app.run(&script).await.job;

    assert_eq!(app.stdout(job.id).await, ["taken"]);
}

#[tokio::test]
async fn a_job_that_does_not_exist_is_404_in_json() {
    let app = App::start().await;

    for id in [JobId::new().to_string(), "nonsense".to_owned(), "7".to_owned(), "..%2f..%2fetc".to_owned()] {
        for (method, path) in [
            (Method::GET, ""),
            (Method::GET, "/attempts"),
            (Method::GET, "/output"),
            (Method::GET, "/output.txt"),
            (Method::GET, "/stream"),
            (Method::POST, "/cancel"),
            (Method::POST, "/retry"),
        ] {
            let response = app.request(method, &format!("/api/jobs/{id}{path}")).send().await.unwrap();
            assert_eq!(problem(response, 404).await["code"], "not_found", "{id}{path}");
        }
    }
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_404_and_a_wrong_method_405_in_json() {
    let app = App::start().await;

    for path in ["/api/nowhere", "/api/jobs/a/b/c/d", "/api/jobs/"] {
        problem(app.get(path).await, 404).await;
    }
    for (method, path) in
        [(Method::PUT, "/api/jobs"), (Method::POST, "/api/lanes"), (Method::GET, "/api/jobs/x/cancel")]
    {
        let response = app.request(method, path).send().await.unwrap();
        assert_eq!(problem(response, 405).await["code"], "wrong_method");
    }
}

#[tokio::test]
async fn query_parameters_that_make_no_sense_are_refused() {
    let app = App::start().await;
    let id = app.submit("true").await;

    for query in ["limit=many", "limit=-1", "state=dancing", "kind=7"] {
        let problem = problem(app.get(&format!("/api/jobs?{query}")).await, 400).await;
        assert_eq!(problem["code"], "invalid_query");
    }
    assert_eq!(problem(app.get("/api/jobs?cursor=nonsense").await, 422).await["field"], "cursor");
    app.submit("true").await;
    let cursor = app.get_json("/api/jobs?limit=1&q=true").await["next"].as_str().unwrap().to_owned();
    app.get_json(&format!("/api/jobs?limit=1&q=true&cursor={cursor}")).await;
    for query in ["", "&q=false", "&q=true&state=queued"] {
        let answer = app.get(&format!("/api/jobs?cursor={cursor}{query}")).await;
        assert_eq!(problem(answer, 422).await["field"], "cursor", "{query}");
    }
    for query in ["after=x", "after=-1", "limit=x", "attempt=x"] {
        problem(app.get(&format!("/api/jobs/{id}/output?{query}")).await, 400).await;
    }
    for query in ["after=x", "batch=x", "attempt=-1"] {
        problem(app.get(&format!("/api/jobs/{id}/stream?{query}")).await, 400).await;
    }
    // Too much or too little is cut to what is possible.
    for query in ["limit=0", "limit=4000000000", "q=", "q=%25_%5c"] {
        assert_eq!(app.get(&format!("/api/jobs?{query}")).await.status(), 200, "{query}");
    }
    for query in ["limit=0", "limit=18446744073709551615", "after=18446744073709551615"] {
        assert_eq!(app.get(&format!("/api/jobs/{id}/output?{query}")).await.status(), 200, "{query}");
    }
}

#[tokio::test]
async fn a_search_for_a_zero_byte_is_refused() {
    let app = App::start().await;

    for field in ["q", "repository"] {
        let problem = problem(app.get(&format!("/api/jobs?{field}=%00")).await, 422).await;
        assert_eq!(problem["field"], field);
    }
}

#[tokio::test]
async fn an_attempt_that_does_not_exist_is_404() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id = app.run("true").await.job.id;

    for path in ["output?attempt=2", "output.txt?attempt=2", "stream?attempt=2", "stream?attempt=0"] {
        let response = app.get(&format!("/api/jobs/{id}/{path}")).await;
        assert_eq!(problem(response, 404).await["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn without_a_valid_token_everything_is_401() {
    let app = App::start().await;
    let id = app.submit("true").await;
    for authorization in
        [None, Some("Bearer mr_wrong"), Some("Bearer "), Some("Basic dXNlcjpwYXNz"), Some("nonsense")]
    {
        for path in [
            "/api/jobs".to_owned(),
            format!("/api/jobs/{id}/stream"),
            "/api/jobs/stream".to_owned(),
            "/api/lanes".to_owned(),
        ] {
            let mut request = app.http.get(app.url(&path));
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert_eq!(problem(response, 401).await["code"], "sign_in");
        }
    }
    let response = app
        .http
        .post(app.url("/api/jobs"))
        .bearer_auth("mr_wrong")
        .json(&app.new_job(json!({})))
        .send()
        .await
        .unwrap();
    problem(response, 401).await;
}
