//! Apps: made by a manifest, installed on a page, and with tokens that can be narrowed.

use serde_json::{Value, json};
use url::Url;

use crate::github::{REPOSITORY, Receiver, client, get, github, installed, jwt, post_json};

#[tokio::test]
async fn a_manifest_makes_an_app_whose_code_is_good_for_once() {
    let (github, receiver) = (github().await, Receiver::start().await);
    let manifest = json!({
        "name": "Millrace at home", "url": "http://127.0.0.1:7100", "hook_attributes": { "url": receiver.url },
        "redirect_url": "http://127.0.0.1:7100/made", "setup_url": "http://127.0.0.1:7100/set-up",
        "default_permissions": { "issues": "write", "contents": "write" }, "default_events": ["issues"],
    })
    .to_string();
    let page = client()
        .post(format!("{}/settings/apps/new?state=s1", github.url()))
        .form(&[("manifest", &manifest)])
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("Create GitHub App"));
    let form =
        [("manifest", manifest.as_str()), ("state", "s1"), ("name", "Millrace at home"), ("owner", "ada")];
    let made = client().post(format!("{}/settings/apps", github.url())).form(&form).send().await.unwrap();
    let back = Url::parse(made.headers()["location"].to_str().unwrap()).unwrap();
    let query: std::collections::HashMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!(query["state"], "s1");

    let conversions = format!("/app-manifests/{}/conversions", query["code"]);
    let converted = post_json(&github, &conversions, "", json!({})).await;
    assert_eq!(converted.status(), 201);
    let app: Value = converted.json().await.unwrap();
    assert_eq!(app["slug"], "millrace-at-home");
    assert!(app["pem"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    assert_eq!(post_json(&github, &conversions, "", json!({})).await.status(), 404);

    let install = format!("{}/apps/millrace-at-home/installations/new", github.url());
    let done =
        client().post(install).form(&[("repository", REPOSITORY), ("state", "s2")]).send().await.unwrap();
    let back = done.headers()["location"].to_str().unwrap();
    assert!(back.starts_with("http://127.0.0.1:7100/set-up?installation_id="), "{back}");
    github.world().settled().await;
    assert_eq!(receiver.events(), ["ping", "installation.created"]);
}

#[tokio::test]
async fn a_token_is_as_narrow_as_it_was_asked_for() {
    let github = github().await;
    github.world().add_repository("ada/meadow");
    github.world().make_private("ada/meadow");
    let (app, installation) = installed(&github, "");
    github.world().install_app(app, &["ada/meadow"]);
    let path = format!("/app/installations/{installation}/access_tokens");

    let wanted =
        json!({ "repositories": ["orchard"], "permissions": { "contents": "read", "issues": "read" } });
    let answer: Value = post_json(&github, &path, &jwt(app, 60), wanted).await.json().await.unwrap();
    let token = answer["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_") && token.len() > 40);
    let listed: Value = get(&github, "/installation/repositories", token).await.json().await.unwrap();
    assert_eq!(
        (listed["total_count"].as_u64(), &listed["repositories"][0]["name"]),
        (Some(1), &json!("orchard"))
    );
    assert_eq!(get(&github, "/repos/ada/meadow", token).await.status(), 404);

    github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    let refused =
        post_json(&github, "/repos/ada/orchard/issues/1/comments", token, json!({ "body": "Hi" })).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["message"], "Resource not accessible by integration");

    for wanted in [json!({ "repositories": ["elsewhere"] }), json!({ "permissions": { "secrets": "write" } })]
    {
        assert_eq!(post_json(&github, &path, &jwt(app, 60), wanted).await.status(), 422);
    }
}

#[tokio::test]
async fn an_app_has_to_sign_for_ten_minutes_at_most() {
    let github = github().await;
    let (app, _) = installed(&github, "");
    assert_eq!(get(&github, "/app", &jwt(app, 600)).await.status(), 200);
    assert_eq!(get(&github, "/app", &jwt(app, 3600)).await.status(), 401);
    assert_eq!(get(&github, "/app", &jwt(app, -120)).await.status(), 401);
    assert_eq!(get(&github, "/app", &jwt(app + 99, 60)).await.status(), 404);
    assert_eq!(get(&github, "/app", "ada-token").await.status(), 401);
}

#[tokio::test]
async fn only_its_app_writes_a_check() {
    let github = github().await;
    let (_, installation) = installed(&github, "");
    let token = github.world().installation_token(installation);
    let sha = github.world().branch(REPOSITORY, "main").unwrap();
    let new = json!({ "name": "Millrace", "head_sha": sha, "status": "in_progress" });
    assert_eq!(
        post_json(&github, "/repos/ada/orchard/check-runs", "ada-token", new.clone()).await.status(),
        403
    );
    let check: Value =
        post_json(&github, "/repos/ada/orchard/check-runs", &token, new).await.json().await.unwrap();
    assert_eq!(check["status"], "in_progress");
    let path = format!("/repos/ada/orchard/check-runs/{}", check["id"]);
    let done = json!({ "conclusion": "success", "output": { "title": "Done", "summary": "All is well" } });
    crate::github::api(&github, reqwest::Method::PATCH, &path, &token).json(&done).send().await.unwrap();
    let checks = github.world().checks(REPOSITORY, &sha);
    assert_eq!((checks.len(), checks[0].conclusion.as_deref()), (1, Some("success")));
    let listed: Value =
        get(&github, "/repos/ada/orchard/commits/main/check-runs", &token).await.json().await.unwrap();
    assert_eq!(listed["check_runs"][0]["app"]["slug"], "millrace");
}
