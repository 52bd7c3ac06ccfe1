//! Who may come in, as owners decide.

use app::{
    backend::Backend as _,
    model::{Account, ApiError, Person, Role},
};
use millrace::backend::Server;
use millrace_fake_github::FakeGitHub;
use secrecy::ExposeSecret as _;
use std::sync::Arc;

use crate::harness::{App, Browser, visitor};

fn server(app: &App) -> Arc<Server> {
    Server::new(Arc::clone(&app.config), app.lifecycle.clone(), app.connection.clone())
}

async fn account(app: &App, owner: &Person, login: &str) -> Account {
    let accounts = server(app).accounts(owner).await.unwrap().accounts;
    accounts.into_iter().find(|account| account.login == login).unwrap()
}

#[tokio::test]
async fn somebody_who_was_sent_away_stays_away_until_an_owner_lets_them_in_again() {
    let github = FakeGitHub::start(None).await.unwrap();
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let owner = app.person("owner", Role::Owner).await;
    let mut browser = Browser::new(&app);
    browser.sign_in_with_github("ada").await;
    let token = app.token_of("ada", Role::Member).await;
    let ada = account(&app, &owner, "ada").await;
    assert!(ada.last_seen_at.is_some() && ada.github_login.as_deref() == Some("ada") && !ada.is_removed);

    server(&app).remove_account(&owner, ada.id).await.unwrap();

    assert_eq!(browser.get("/api/jobs").await.status(), 401);
    let with_token = app.http.get(app.url("/api/jobs")).bearer_auth(token.expose_secret());
    assert_eq!(with_token.send().await.unwrap().status(), 401);
    assert_eq!(
        browser.sign_in_with_github("ada").await,
        "/sign-in?error=github_removed",
        "the list names them still"
    );
    assert!(account(&app, &owner, "ada").await.is_removed);

    server(&app).admit_again(&owner, ada.id).await.unwrap();
    assert_eq!(browser.sign_in_with_github("ada").await, "/");
}

#[tokio::test]
async fn there_is_always_an_owner() {
    let app = App::start().await;
    let (owner, second) = (app.person("owner", Role::Owner).await, app.person("ada", Role::Owner).await);
    let server = server(&app);

    // Each sends the other away, at once.
    let (one, two) =
        tokio::join!(server.remove_account(&owner, second.id), server.remove_account(&second, owner.id));

    let outcomes = [one, two];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let left = if outcomes[0].is_ok() { &owner } else { &second };
    for refused in
        [server.remove_account(left, left.id).await, server.set_role(left, left.id, Role::Member).await]
    {
        assert!(matches!(refused, Err(ApiError::Conflict(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn members_decide_nothing_and_see_nobody() {
    let app = App::start().await;
    let (owner, member) = (app.person("owner", Role::Owner).await, app.person("mia", Role::Member).await);
    let server = server(&app);

    assert!(matches!(server.accounts(&member).await, Err(ApiError::Forbidden(_))));
    assert!(matches!(server.set_role(&member, member.id, Role::Owner).await, Err(ApiError::Forbidden(_))));
    assert!(matches!(server.remove_account(&member, owner.id).await, Err(ApiError::Forbidden(_))));
    assert!(matches!(server.github(&member).await, Err(ApiError::Forbidden(_))));

    server.set_role(&owner, member.id, Role::Owner).await.unwrap();
    assert_eq!(account(&app, &owner, "mia").await.role, Role::Owner);
}

#[tokio::test]
async fn a_sign_in_link_of_somebody_who_was_sent_away_opens_nothing() {
    let app = App::start().await;
    let owner = app.person("owner", Role::Owner).await;
    let link = app.sign_in_token("ada").await;
    let ada = app.person("ada", Role::Owner).await;

    server(&app).remove_account(&owner, ada.id).await.unwrap();

    let mut browser = Browser::new(&app);
    browser.sign_in(&link).await;
    assert_eq!(browser.get("/api/jobs").await.status(), 401);
}
