//! The API's description is complete, and it is true.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, Browser};

async fn document(app: &App) -> Value {
    app.http.get(app.url("/api/openapi.json")).send().await.unwrap().json().await.unwrap()
}

/// `(method, path, description)` of every route in the document.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods
            .into_iter()
            .map(move |(method, about)| (method.to_uppercase().parse().unwrap(), path.clone(), about))
    };
    paths.iter().flat_map(of_path).collect()
}

/// Answers must be as the document says, without a field that it does not mention.
#[track_caller]
fn assert_fits(document: &Value, method: &str, path: &str, status: u16, answer: &Value) {
    let responses = &document["paths"][path][method]["responses"];
    let response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
    let content = response["content"].as_object().unwrap();
    let (_, body) = content.iter().next().unwrap();
    let is_list = body["schema"]["type"] == "array";
    let item = if is_list { &body["schema"]["items"] } else { &body["schema"] };
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [item],
        "unevaluatedProperties": false,
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let one = [answer.clone()];
    let answers = if is_list { answer.as_array().unwrap() } else { &one[..] };
    assert!(!answers.is_empty(), "{method} {path} answered with an empty list, which says nothing");
    for answer in answers {
        if let Err(error) = validator.validate(answer) {
            panic!("{method} {path}: {error} at {}\n{answer:#}", error.instance_path());
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let app = App::start().await;
    let document = document(&app).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);

    // What is not added together with its description is known by name: the form behind sign-in links, the ways to GitHub
    // and back, the answer for addresses that do not exist, server functions (`path`), and files of the site.
    let router = include_str!("../../src/http/router.rs");
    let bare: Vec<&str> =
        router.split(".route(").skip(1).map(|rest| rest.split(',').next().unwrap().trim()).collect();
    let named = [
        r#""/session""#,
        r#""/auth/github""#,
        r#""/auth/github/callback""#,
        r#""/webhooks/github""#,
        r#""/settings/github/created""#,
        r#""/settings/github/installed""#,
        r#""/api/{*path}""#,
        "path",
    ];
    assert_eq!(bare, named);

    // What the document names is there.
    let operations = operations(&document);
    assert!(operations.len() > 20, "{}", operations.len());
    for (method, path, about) in operations {
        let path = path.replace("{id}", "00000000-0000-7000-8000-000000000000").replace("{lane}", "none");
        let response = app.request(method.clone(), &path).send().await.unwrap();
        let status = response.status();
        assert_ne!(status, 405, "{method} {path}");
        if status == 404 {
            let detail = response.text().await.unwrap();
            assert!(!detail.contains("There is nothing at"), "{method} {path}: {detail}");
        }
        for part in ["summary", "operationId"] {
            assert!(
                about[part].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} has no {part}"
            );
        }
    }
}

#[tokio::test]
async fn answers_fit_the_document() {
    let app = App::start().await;
    let document = document(&app).await;
    let _runner = app.runner().await;
    let id = app.run("echo hello; exit 1").await.job.id;
    app.post_json("/api/lanes/agent/pause", &json!({ "reason": "quota" })).await;
    let schedule = json!({ "name": "n", "cron": "0 0 1 1 *", "job": app.new_job(json!({})) });

    for (path, address) in [
        ("/api/jobs", "/api/jobs?limit=1".to_owned()),
        ("/api/jobs/{id}", format!("/api/jobs/{id}")),
        ("/api/jobs/{id}/attempts", format!("/api/jobs/{id}/attempts")),
        ("/api/jobs/{id}/output", format!("/api/jobs/{id}/output?limit=1")),
        ("/api/jobs/{id}/output/search", format!("/api/jobs/{id}/output/search?q=e&limit=1")),
        ("/api/lanes", "/api/lanes".to_owned()),
        ("/api/runners", "/api/runners".to_owned()),
        ("/api/tokens", "/api/tokens".to_owned()),
        ("/readyz", "/readyz".to_owned()),
    ] {
        assert_fits(&document, "get", path, 200, &app.get_json(&address).await);
    }
    for (path, address, body) in [
        ("/api/jobs", "/api/jobs".to_owned(), app.new_job(json!({ "priority": "low", "ref": "main" }))),
        ("/api/jobs/{id}/retry", format!("/api/jobs/{id}/retry"), Value::Null),
        ("/api/lanes/{lane}/pause", "/api/lanes/command/pause".to_owned(), json!({ "reason": "r" })),
        ("/api/lanes/{lane}/resume", "/api/lanes/command/resume".to_owned(), Value::Null),
        (
            "/api/lanes/{lane}/clean",
            "/api/lanes/command/clean".to_owned(),
            json!({ "state": "failed", "older_than": 0, "dry_run": true }),
        ),
        ("/api/schedules", "/api/schedules".to_owned(), schedule),
        ("/api/tokens", "/api/tokens".to_owned(), json!({ "name": "n" })),
    ] {
        let response = app.post_json(&address, &body).await;
        let status = response.status();
        assert!(status.is_success(), "{address}: {status}");
        assert_fits(&document, "post", path, status.as_u16(), &response.json().await.unwrap());
    }
    let sessions = Browser::signed_in(&app, "owner").await.get("/api/sessions").await;
    assert_fits(&document, "get", "/api/sessions", 200, &sessions.json().await.unwrap());
    assert_fits(&document, "get", "/api/schedules", 200, &app.get_json("/api/schedules").await);
    let refused = app.post_json("/api/jobs", &json!({})).await;
    assert_fits(&document, "post", "/api/jobs", refused.status().as_u16(), &refused.json().await.unwrap());
}

#[tokio::test]
async fn the_page_shows_every_route_and_loads_nothing() {
    let app = App::start().await;
    let document = document(&app).await;

    let response = app.http.get(app.url("/api/docs")).send().await.unwrap();

    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = response.text().await.unwrap();
    for (method, path, _) in operations(&document) {
        assert!(page.contains(&format!("<h3>{method} {path}</h3>")), "{method} {path} is missing");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"type-{name}\"")), "{name} is missing");
    }
    for foreign in ["<script", "src=", "<link"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
