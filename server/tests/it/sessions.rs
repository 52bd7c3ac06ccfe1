//! One's own browsers: listed, and signed out.

use app::model::{Role, SignedIn};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret as _;

use crate::harness::{App, Browser};

async fn list(browser: &Browser<'_>) -> Vec<SignedIn> {
    browser.get("/api/sessions").await.json().await.unwrap()
}

#[tokio::test]
async fn a_person_sees_their_browsers_and_which_one_this_is() {
    let app = App::start().await;
    let (here, _there) = (Browser::signed_in(&app, "owner").await, Browser::signed_in(&app, "owner").await);
    Browser::signed_in(&app, "somebody").await;

    let sessions = list(&here).await;

    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|session| session.is_this_one).count(), 1);
    assert!(sessions.iter().all(|session| session.browser == "A browser"));
    let page = here.get("/settings").await.text().await.unwrap();
    assert!(page.contains("Sign out everywhere") && page.contains("this browser"), "{page}");
}

#[tokio::test]
async fn one_browser_is_signed_out_and_the_others_stay() {
    let app = App::start().await;
    let (here, there) = (Browser::signed_in(&app, "owner").await, Browser::signed_in(&app, "owner").await);
    let other = list(&here).await.into_iter().find(|session| !session.is_this_one).unwrap();
    let end = async |token: &str| {
        let path = format!("/api/sessions/{}", other.id);
        app.http.request(Method::DELETE, app.url(&path)).bearer_auth(token).send().await.unwrap().status()
    };

    let somebody = app.token_of("somebody", Role::Owner).await;
    assert_eq!(end(somebody.expose_secret()).await, StatusCode::NOT_FOUND);
    assert_eq!(end(app.token.expose_secret()).await, StatusCode::NO_CONTENT);

    assert_eq!(there.get("/api/jobs").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(here.get("/api/jobs").await.status(), StatusCode::OK);
    assert_eq!(list(&here).await.len(), 1);
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_of_ones_own_sessions() {
    let app = App::start().await;
    let (here, there) = (Browser::signed_in(&app, "owner").await, Browser::signed_in(&app, "owner").await);
    let somebody = Browser::signed_in(&app, "somebody").await;

    let request = app.http.delete(app.url("/api/sessions")).header(header::ORIGIN, app.url(""));
    assert_eq!(here.send(request).await.status(), StatusCode::NO_CONTENT);

    for browser in [&here, &there] {
        assert_eq!(browser.get("/api/jobs").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(somebody.get("/api/jobs").await.status(), StatusCode::OK);
    assert_eq!(app.get("/api/jobs").await.status(), StatusCode::OK, "tokens stay");
}

#[tokio::test]
async fn a_session_that_has_ended_does_not_come_back() {
    let app = App::start().await;
    let mut browser = Browser::signed_in(&app, "owner").await;
    let sessions: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(app.db()).await.unwrap();
    sqlx::query("DELETE FROM sessions").execute(app.db()).await.unwrap();

    browser.visit("/auth/github").await;

    assert_eq!(sessions, 1);
    assert_eq!(browser.get("/api/jobs").await.status(), StatusCode::UNAUTHORIZED);
}
