//! A person's API tokens: made, used, withdrawn.

use app::model::{ApiToken, NewToken, Role, TokenId};
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::harness::App;

async fn create(app: &App, name: &str) -> NewToken {
    let response = app.post_json("/api/tokens", &json!({ "name": name })).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    response.json().await.unwrap()
}

async fn list(app: &App) -> Vec<ApiToken> {
    serde_json::from_value(app.get_json("/api/tokens").await).unwrap()
}

async fn delete(app: &App, id: TokenId) -> Response {
    app.request(Method::DELETE, &format!("/api/tokens/{id}")).send().await.unwrap()
}

#[tokio::test]
async fn a_token_works_until_it_is_withdrawn_and_its_secret_is_shown_once() {
    let app = App::start().await;
    let made = create(&app, " ci ").await;
    let with_it =
        async || app.http.get(app.url("/api/jobs")).bearer_auth(&made.token).send().await.unwrap().status();

    assert_eq!(with_it().await, StatusCode::OK);
    let listed = list(&app).await;
    let ours = listed.iter().find(|token| token.id == made.info.id).unwrap();
    assert_eq!(ours.name, "ci");
    assert!(ours.last_used_at.is_some());
    assert!(!app.get("/api/tokens").await.text().await.unwrap().contains(&made.token));

    assert_eq!(delete(&app, made.info.id).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(with_it().await, StatusCode::UNAUTHORIZED);
    assert!(list(&app).await.iter().all(|token| token.id != made.info.id));
    assert_eq!(delete(&app, made.info.id).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tokens_are_their_owners_alone() {
    let app = App::start().await;
    let made = create(&app, "mine").await;

    for role in [Role::Member, Role::Owner] {
        let other = app.token_of("mia", role).await;
        let as_other = |method: Method, path: &str| {
            app.http.request(method, app.url(path)).bearer_auth(other.expose_secret())
        };
        let listed = as_other(Method::GET, "/api/tokens").send().await.unwrap().text().await.unwrap();
        assert!(!listed.contains(&made.info.id.to_string()));
        let path = format!("/api/tokens/{}", made.info.id);
        assert_eq!(as_other(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(list(&app).await.len(), 2, "the test's own and the one that was made");
}

#[tokio::test]
async fn a_token_without_a_name_is_refused() {
    let app = App::start().await;

    for name in ["", "  ", "a\u{0}b", &"x".repeat(101)] {
        let response = app.post_json("/api/tokens", &json!({ "name": name })).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["field"], "name");
    }
    assert_eq!(delete_text(&app, "nonsense").await, StatusCode::NOT_FOUND);
    assert_eq!(list(&app).await.len(), 1);
}

async fn delete_text(app: &App, id: &str) -> StatusCode {
    app.request(Method::DELETE, &format!("/api/tokens/{id}")).send().await.unwrap().status()
}
