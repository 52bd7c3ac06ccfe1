//! Signing in with GitHub: who comes in, who does not, and what they are told.

use app::model::Role;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use millrace::{db::people, seal::Seal};
use millrace_fake_github::FakeGitHub;
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{App, Browser, location, visitor};

async fn github() -> FakeGitHub {
    FakeGitHub::start(None).await.unwrap()
}

/// Whose session the browser has, as login and role.
async fn who(app: &App, browser: &Browser<'_>) -> Option<(String, String)> {
    if browser.get("/api/jobs").await.status() == StatusCode::UNAUTHORIZED {
        return None;
    }
    // The one that was used last.
    sqlx::query_as(
        "SELECT login, role FROM users JOIN sessions ON user_id = users.id ORDER BY sessions.created_at DESC",
    )
    .fetch_optional(app.db())
    .await
    .unwrap()
}

fn some(login: &str, role: &str) -> Option<(String, String)> {
    Some((login.to_owned(), role.to_owned()))
}

/// The state in an address on the way to GitHub or back.
fn state_of(address: &str) -> String {
    let address = Url::parse(address).unwrap();
    address.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[tokio::test]
async fn somebody_on_the_list_comes_in_as_a_member() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    assert!(browser.get("/sign-in").await.text().await.unwrap().contains("Sign in with GitHub"));

    assert_eq!(browser.sign_in_with_github("ada").await, "/");

    assert_eq!(who(&app, &browser).await, some("ada", "member"));
    // Nothing of GitHub's is kept but who it is.
    let data: String =
        sqlx::query_scalar("SELECT data::text FROM sessions").fetch_one(app.db()).await.unwrap();
    assert!(!data.contains("gho_") && !data.contains("verifier"), "{data}");
}

#[tokio::test]
async fn what_a_member_asked_for_on_github_is_theirs() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    browser.sign_in_with_github("ada").await;
    let id: i64 = sqlx::query_scalar("SELECT github_id FROM users WHERE login = 'ada'")
        .fetch_one(app.db())
        .await
        .unwrap();

    let ada = people::of_github(app.db(), id, "ada").await.unwrap();
    let renamed = people::of_github(app.db(), id, "countess").await.unwrap();

    assert_eq!((ada.id, ada.role), (renamed.id, Role::Member));
    assert_eq!(renamed.login, "countess");
}

#[tokio::test]
async fn where_there_is_no_client_nobody_is_offered_it() {
    let app = App::start().await;
    let mut browser = Browser::new(&app);

    assert!(!browser.get("/sign-in").await.text().await.unwrap().contains("Sign in with GitHub"));
    assert_eq!(location(&browser.visit("/auth/github").await), "/sign-in?error=github_off");
}

#[tokio::test]
async fn the_list_names_logins_organisations_and_teams() {
    let github = github().await;
    github.world().add_org("acme", &["grace"]);
    github.world().add_team("acme", "builders", &["joan"]);
    github.world().add_user("eve");
    for (members, login, comes_in) in [
        ("Grace", "grace", true),
        ("org:acme", "grace", true),
        ("org:acme", "eve", false),
        ("team:acme/builders", "joan", true),
        ("team:acme/builders", "grace", false),
        ("team:acme/nobody", "joan", false),
        ("ada,org:elsewhere,team:acme/builders", "joan", true),
        ("ada", "eve", false),
        ("", "eve", false),
    ] {
        let app = visitor::with_sign_in(&github, members).await;
        let mut browser = Browser::new(&app);

        let end = browser.sign_in_with_github(login).await;

        let expected = if comes_in { "/" } else { "/sign-in?error=github_not_listed" };
        assert_eq!(end, expected, "{login} with {members}");
        assert_eq!(who(&app, &browser).await.is_some(), comes_in, "{login} with {members}");
    }
}

#[tokio::test]
async fn who_had_to_sign_in_goes_where_they_wanted_to_go() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    for (wanted, end) in
        [("%2Fnew%3Fa%3Db", "/new?a=b"), ("https%3A%2F%2Fexample.com", "/"), ("%2F%2Fexample.com", "/")]
    {
        let mut browser = Browser::new(&app);
        let there = location(&browser.visit(&format!("/auth/github?next={wanted}")).await).to_owned();
        let back = visitor::authorize(&app, &there, Some("ada")).await;
        assert_eq!(location(&browser.visit(&back).await), end);
    }
}

#[tokio::test]
async fn a_member_who_has_left_the_list_stays_outside_and_an_owner_does_not() {
    let github = github().await;
    github.world().add_org("acme", &["grace"]);
    let app = visitor::with_sign_in(&github, "org:acme").await;
    assert_eq!(Browser::new(&app).sign_in_with_github("grace").await, "/");
    // Everybody has left.
    github.world().leave_org("acme", "grace");

    let mut browser = Browser::new(&app);
    assert_eq!(browser.sign_in_with_github("grace").await, "/sign-in?error=github_not_listed");
    assert_eq!(browser.get("/api/jobs").await.status(), StatusCode::UNAUTHORIZED);

    sqlx::query("UPDATE users SET role = 'owner' WHERE login = 'grace'").execute(app.db()).await.unwrap();
    assert_eq!(Browser::new(&app).sign_in_with_github("grace").await, "/");
}

#[tokio::test]
async fn the_way_back_works_once_and_for_the_browser_that_began_it() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let (mut browser, mut other) = (Browser::new(&app), Browser::new(&app));
    let back = browser.leave_for_github(Some("ada")).await;

    for forged in [back.replace("state=", "state=x"), back.split("&state").next().unwrap().to_owned()] {
        let mut forger = Browser::new(&app);
        forger.leave_for_github(Some("ada")).await;
        assert_eq!(location(&forger.visit(&forged).await), "/sign-in?error=github_state");
        assert_eq!(who(&app, &forger).await, None);
    }
    other.leave_for_github(Some("ada")).await;
    for response in [other.visit(&back).await, Browser::new(&app).visit(&back).await] {
        assert_eq!(location(&response), "/sign-in?error=github_state");
    }
    assert_eq!(location(&browser.visit(&back).await), "/");
    assert_eq!(location(&browser.visit(&back).await), "/settings?github=github_state");
}

#[tokio::test]
async fn of_two_that_come_back_at_once_one_comes_in() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(Some("ada")).await;
    let mut twin = Browser::new(&app);
    twin.cookie = browser.cookie.clone();

    let (one, two) = tokio::join!(browser.visit(&back), twin.visit(&back));

    let mut ends = [location(&one), location(&two)];
    ends.sort_unstable();
    assert_eq!(ends, ["/", "/sign-in?error=github_state"]);
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_starts_again() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(Some("ada")).await;
    sqlx::query("UPDATE sessions SET data = jsonb_set(data, '{github_sign_in,expires_at}', '1')")
        .execute(app.db())
        .await
        .unwrap();

    assert_eq!(location(&browser.visit(&back).await), "/sign-in?error=github_state");
}

#[tokio::test]
async fn github_refuses_another_verifier_and_a_code_of_somebody_elses_making() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(Some("ada")).await;
    let sealed = Seal::open(&app.config.server)
        .unwrap()
        .seal(&format!("github_sign_in/{}", state_of(&back)), &"another".into())
        .unwrap();
    sqlx::query(
        "UPDATE sessions SET data = jsonb_set(data, '{github_sign_in,verifier}', to_jsonb($1::text))",
    )
    .bind(URL_SAFE_NO_PAD.encode(sealed))
    .execute(app.db())
    .await
    .unwrap();
    assert_eq!(location(&browser.visit(&back).await), "/sign-in?error=github_refused");

    let back = browser.leave_for_github(Some("ada")).await;
    let forged = back.replace("code=", "code=0");
    assert_eq!(location(&browser.visit(&forged).await), "/sign-in?error=github_refused");
    assert_eq!(who(&app, &browser).await, None);
}

#[tokio::test]
async fn neither_the_state_nor_the_verifier_can_be_read_in_the_database() {
    let github = github().await;
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let address = location(&browser.visit("/auth/github").await).to_owned();

    let data: Value = sqlx::query_scalar("SELECT data FROM sessions").fetch_one(app.db()).await.unwrap();

    let state = state_of(&address);
    assert!(!data.to_string().contains(&state), "{data}");
    // What is kept is the verifier, for whoever has the key and the state.
    let sealed = data["github_sign_in"]["verifier"].as_str().unwrap();
    let sealed = URL_SAFE_NO_PAD.decode(sealed).unwrap();
    let seal = Seal::open(&app.config.server).unwrap();
    let verifier = seal.read(&format!("github_sign_in/{state}"), &sealed).unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
    assert!(address.contains(&format!("code_challenge={challenge}")), "{address}");
    assert!(seal.read("github_sign_in/another", &sealed).is_err());
}

#[tokio::test]
async fn somebody_who_denies_it_is_told_how_to_go_on() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(None).await;

    let response = browser.visit(&back).await;

    assert_eq!(location(&response), "/sign-in?error=github_denied");
    let page = browser.get(location(&response)).await.text().await.unwrap();
    assert!(page.contains("press Authorize"), "{page}");
}

#[tokio::test]
async fn nobody_comes_in_while_github_is_away_or_does_not_tell() {
    let github = github().await;
    github.world().add_org("acme", &["grace"]);
    let app = visitor::with_sign_in(&github, "org:acme").await;

    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(Some("grace")).await;
    github.world().away();
    assert_eq!(location(&browser.visit(&back).await), "/sign-in?error=github_away");
    github.world().back();

    for (path, status, word) in [
        ("/user/memberships", 403, "github_unclear"),
        ("/user/memberships", 500, "github_away"),
        ("/user", 500, "github_away"),
    ] {
        let back = browser.leave_for_github(Some("grace")).await;
        github.world().fail_next("GET", path, status, 3);
        assert_eq!(
            location(&browser.visit(&back).await),
            format!("/sign-in?error={word}"),
            "{path} {status}"
        );
        // What is left of them.
        while app.http.get(format!("{}/api/v3{path}", github.url())).send().await.unwrap().status() == status
        {
        }
    }
    assert_eq!(who(&app, &browser).await, None);
    assert_eq!(browser.sign_in_with_github("grace").await, "/");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_lets_nobody_in_and_the_page_says_what_to_do() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    for (path, method, answer) in [
        ("/login/oauth/access_token", "POST", "<!doctype html><title>Log in to the network</title>"),
        ("/login/oauth/access_token", "POST", r#"{"token_type":"bearer"}"#),
        ("/user", "GET", r#"{"login":"ada"}"#),
    ] {
        let back = browser.leave_for_github(Some("ada")).await;
        github.world().nonsense_next(method, path, answer);

        let response = browser.visit(&back).await;

        assert_eq!(location(&response), "/sign-in?error=github_malformed", "{answer}");
        let page = browser.get(location(&response)).await.text().await.unwrap();
        assert!(page.contains("an owner should check") && page.contains("Try again"), "{page}");
        assert_eq!(who(&app, &browser).await, None);
    }
    assert_eq!(browser.sign_in_with_github("ada").await, "/");
}

#[tokio::test]
async fn a_session_from_before_is_worth_nothing_after_signing_in_with_github() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let mut browser = Browser::new(&app);
    let back = browser.leave_for_github(Some("ada")).await;
    let planted = browser.cookie.clone();

    browser.visit(&back).await;

    assert_ne!(browser.cookie, planted);
    assert_eq!(browser.get("/api/jobs").await.status(), 200);
    browser.cookie = planted;
    assert_eq!(browser.get("/api/jobs").await.status(), 401);
}

#[tokio::test]
async fn an_owner_makes_a_github_account_their_own() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "").await;
    let mut browser = Browser::signed_in(&app, "owner").await;
    // A job that was asked for on GitHub before.
    let id = github_id(&app, &github, "ada").await;
    let stranger = people::of_github(app.db(), id, "ada").await.unwrap();
    let job = app.submit_with(json!({})).await;
    sqlx::query("UPDATE jobs SET created_by = $1")
        .bind(stranger.id.as_uuid())
        .execute(app.db())
        .await
        .unwrap();

    assert_eq!(browser.sign_in_with_github("ada").await, "/settings#people");

    let mut elsewhere = Browser::new(&app);
    assert_eq!(elsewhere.sign_in_with_github("ada").await, "/");
    assert_eq!(who(&app, &elsewhere).await, some("owner", "owner"));
    let login: String =
        sqlx::query_scalar("SELECT login FROM users JOIN jobs ON created_by = users.id WHERE jobs.id = $1")
            .bind(job.as_uuid())
            .fetch_one(app.db())
            .await
            .unwrap();
    assert_eq!(login, "owner");
}

#[tokio::test]
async fn a_github_account_belongs_to_one_person() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    Browser::new(&app).sign_in_with_github("ada").await;
    let mut owner = Browser::signed_in(&app, "owner").await;

    assert_eq!(owner.sign_in_with_github("ada").await, "/settings?github=github_taken");

    let page = owner.get("/settings?github=github_taken").await.text().await.unwrap();
    assert!(page.contains("belongs to another person"), "{page}");
}

#[tokio::test]
async fn a_login_that_is_taken_here_is_not_handed_over() {
    let github = github().await;
    github.world().add_user("ada");
    let app = visitor::with_sign_in(&github, "ada").await;
    let here = app.person("ada", Role::Owner).await;
    let mut browser = Browser::new(&app);

    browser.sign_in_with_github("ada").await;

    let (login, role) = who(&app, &browser).await.unwrap();
    assert!(login.starts_with("ada#") && role == "member", "{login} {role}");
    assert_eq!(app.person("ada", Role::Member).await, here);
}

#[tokio::test]
async fn many_deliveries_at_once_make_one_person() {
    let app = App::start().await;
    let found = futures::future::join_all((0..40).map(|_| people::of_github(app.db(), 7, "ada"))).await;
    let first = found[0].as_ref().unwrap().id;
    assert!(found.iter().all(|person| person.as_ref().unwrap().id == first));
    // Known, and not let in.
    assert_eq!(people::find(app.db(), first).await.unwrap(), None);
}

#[tokio::test]
async fn guessing_is_not_worth_while() {
    let github = github().await;
    let app = visitor::with_sign_in(&github, "").await;
    let mut browser = Browser::new(&app);
    for _ in 0..app.config.limits.failed_sign_ins_per_minute.get() {
        let response = browser.visit("/auth/github/callback?code=x&state=y").await;
        assert_eq!(location(&response), "/sign-in?error=github_state");
    }
    assert_eq!(browser.visit("/auth/github/callback?code=x&state=y").await.status(), 429);
}

async fn github_id(app: &App, github: &FakeGitHub, login: &str) -> i64 {
    let user = app.http.get(format!("{}/api/v3/users/{login}", github.url())).send().await.unwrap();
    user.json::<Value>().await.unwrap()["id"].as_i64().unwrap()
}
