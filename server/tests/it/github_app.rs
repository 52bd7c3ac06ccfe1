//! The GitHub App: made by the manifest flow, kept encrypted, and what its tokens may do.

use std::sync::Arc;

use app::model::{ApiError, Role};
use axum::{Json, Router, http::StatusCode as AxumStatus, routing::post};
use futures::future::join_all;
use millrace::{
    backend::Server,
    config::Config,
    connection::{Connection, ConnectionError, Purpose},
    github::{GitHubError, RepositoryName},
};
use millrace_fake_github::{APP_PRIVATE_KEY, FakeGitHub};
use reqwest::{Response, StatusCode, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{App, Browser, eventually, location};

const REPOSITORY: &str = "ada/orchard";

struct Story {
    github: FakeGitHub,
    app: App,
}

impl Story {
    async fn begin() -> Self {
        let github = FakeGitHub::start(None).await.unwrap();
        github.world().add_user("ada");
        for repository in [REPOSITORY, "ada/meadow"] {
            github.world().add_repository(repository);
        }
        let app = App::with(&[("MILLRACE_GITHUB__URL", &github.url())]).await;
        Self { github, app }
    }

    /// With an App that is installed for one repository.
    async fn connected() -> Self {
        let story = Self::begin().await;
        let mut owner = Browser::signed_in(&story.app, "owner").await;
        let back = story.create_app(&owner, None).await;
        let install = location(&owner.visit(&back).await).to_owned();
        let back = story.install(&install, &[REPOSITORY]).await;
        assert_eq!(location(&owner.visit(&back).await), "/settings#github");
        story
    }

    /// What the page posts to GitHub, and the button there. Says where GitHub sends the browser.
    async fn create_app(&self, owner: &Browser<'_>, organisation: Option<&str>) -> String {
        let query = organisation.map_or_else(String::new, |name| format!("?organisation={name}"));
        let page = owner.get(&format!("/settings{query}")).await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&format!("form-action 'self' {}", self.github.url())), "{policy}");
        let page = page.text().await.unwrap();
        let action = Url::parse(&attribute(&page, "action=\"http", "action=\"")).unwrap();
        let manifest = attribute(&page, "name=\"manifest\" value=\"", "name=\"manifest\" value=\"");
        let response =
            self.app.http.post(action.clone()).form(&[("manifest", &manifest)]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{action}");
        let state = action.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let name = serde_json::from_str::<Value>(&manifest).unwrap()["name"].as_str().unwrap().to_owned();
        let create = [("manifest", manifest), ("state", state), ("name", name), ("owner", "ada".to_owned())];
        let response = self.app.http.post(format!("{}/settings/apps", self.github.url())).form(&create);
        location(&response.send().await.unwrap()).to_owned()
    }

    async fn install(&self, address: &str, repositories: &[&str]) -> String {
        let fields: Vec<_> = repositories.iter().map(|name| ("repository", *name)).collect();
        location(&self.app.http.post(address).form(&fields).send().await.unwrap()).to_owned()
    }

    /// How often GitHub was asked this.
    fn asked(&self, method: &str, what: &str) -> usize {
        let requests = self.github.world().requests();
        requests.iter().filter(|request| request.method == method && request.path.contains(what)).count()
    }
}

/// The value of an attribute in a page: what stands after `before` where `mark` is found.
fn attribute(page: &str, mark: &str, before: &str) -> String {
    let start = page.find(mark).unwrap_or_else(|| panic!("no {mark} in {page}")) + before.len();
    let value = &page[start..];
    let value = &value[..value.find('"').unwrap()];
    value.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&amp;", "&")
}

fn repository() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

fn another(app: &App, change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = Config::clone(&app.config);
    change(&mut config);
    Connection::new(&config, app.db().clone(), app.queue()).unwrap()
}

#[tokio::test]
async fn an_app_is_made_with_one_click_here_and_one_there() {
    let story = Story::begin().await;
    let mut owner = Browser::signed_in(&story.app, "owner").await;
    assert!(owner.get("/settings").await.text().await.unwrap().contains("Connect GitHub"));

    let back = story.create_app(&owner, None).await;
    let install = location(&owner.visit(&back).await).to_owned();
    assert!(install.ends_with("/installations/new"), "{install}");
    let back = story.install(&install, &[REPOSITORY]).await;
    assert_eq!(location(&owner.visit(&back).await), "/settings#github");

    let page = owner.get("/settings").await.text().await.unwrap();
    assert!(page.contains(REPOSITORY) && !page.contains("ada/meadow"), "{page}");
    let made = story.github.world().apps().remove(0);
    assert_eq!(made.webhook_url, story.app.url("/webhooks/github"));
    assert_eq!(story.app.connection.own_login().await.unwrap(), format!("{}[bot]", made.slug));
    let secrets = story.app.connection.webhook_secrets().await.unwrap();
    assert_eq!(secrets[0].expose_secret(), made.webhook_secret);
    assert!(
        Browser::new(&story.app).get("/sign-in").await.text().await.unwrap().contains("Sign in with GitHub")
    );
}

#[tokio::test]
async fn an_organisation_gets_an_app_of_its_own() {
    let story = Story::begin().await;
    story.github.world().add_org("acme", &["ada"]);
    let mut owner = Browser::signed_in(&story.app, "owner").await;
    let wrong = owner.get("/settings?organisation=a%2F..%2Fb").await.text().await.unwrap();
    assert!(wrong.contains("no name of an organisation") && !wrong.contains("settings/apps/new"), "{wrong}");

    let back = story.create_app(&owner, Some("acme")).await;

    assert!(location(&owner.visit(&back).await).ends_with("/installations/new"));
}

#[tokio::test]
async fn the_form_of_one_tab_works_after_another_was_opened() {
    let story = Story::begin().await;
    let mut owner = Browser::signed_in(&story.app, "owner").await;
    let back = story.create_app(&owner, None).await;

    owner.get("/settings").await;

    assert!(location(&owner.visit(&back).await).ends_with("/installations/new"));
}

#[tokio::test]
async fn the_apps_secrets_are_in_the_database_encrypted_alone() {
    let story = Story::connected().await;
    let made = story.github.world().apps().remove(0);
    let row: String = sqlx::query_scalar("SELECT github_app::text FROM github_app")
        .fetch_one(story.app.db())
        .await
        .unwrap();
    assert!(row.contains(&made.slug));
    for secret in [&made.webhook_secret, &made.client_secret, &APP_PRIVATE_KEY[40..80].to_owned()] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!row.contains(secret.as_str()) && !row.contains(&hex));
    }
}

#[tokio::test]
async fn the_way_back_from_making_an_app_works_once_and_for_the_owner_who_began_it() {
    let story = Story::begin().await;
    let app = &story.app;
    let mut owner = Browser::signed_in(app, "owner").await;
    let mut second = Browser::signed_in(app, "second").await;
    let back = story.create_app(&owner, None).await;
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let kept: String = sqlx::query_scalar("SELECT string_agg(data::text, '') FROM sessions")
        .fetch_one(app.db())
        .await
        .unwrap();
    assert!(kept.contains("github_app") && !kept.contains(state), "{kept}");

    assert_eq!(location(&Browser::new(app).visit(&back).await), "/sign-in");
    assert_eq!(location(&second.visit(&back).await), "/settings?github=app_state");
    let other_state = back.replace("state=", "state=x");
    assert_eq!(location(&owner.visit(&other_state).await), "/settings?github=app_state");
    // That attempt used it up.
    assert_eq!(location(&owner.visit(&back).await), "/settings?github=app_state");
    let code = |back: &str| Url::parse(back).unwrap().query_pairs().next().unwrap().1.into_owned();
    let used = code(&back);
    assert_eq!(story.asked("POST", &used), 0, "nothing was asked of GitHub");

    // A code that was used before.
    app.http
        .post(format!("{}/api/v3/app-manifests/{used}/conversions", story.github.url()))
        .send()
        .await
        .unwrap();
    let page = owner.get("/settings").await.text().await.unwrap();
    let action = Url::parse(&attribute(&page, "action=\"http", "action=\"")).unwrap();
    let state = action.query_pairs().next().unwrap().1.into_owned();
    let back = app.url(&format!("/settings/github/created?code={used}&state={state}"));
    assert_eq!(location(&owner.visit(&back).await), "/settings?github=app_code");
    assert!(app.connection.as_app().await.unwrap().is_none());
    let page = owner.get("/settings?github=app_code").await.text().await.unwrap();
    assert!(page.contains("Nothing was stored"), "{page}");
}

#[tokio::test]
async fn members_cannot_connect_github() {
    let story = Story::begin().await;
    let server =
        Server::new(Arc::clone(&story.app.config), story.app.lifecycle.clone(), story.app.connection.clone());
    let member = story.app.person("mia", Role::Member).await;
    for refused in [server.disconnect_github(&member).await, server.refresh_github(&member).await] {
        assert!(matches!(refused, Err(ApiError::Forbidden(_))));
    }
    // A session of a member, by way of an owner who became one.
    let mut browser = Browser::signed_in(&story.app, "ada").await;
    sqlx::query("UPDATE users SET role = 'member' WHERE login = 'ada'")
        .execute(story.app.db())
        .await
        .unwrap();
    for path in ["/settings/github/created?code=x&state=y", "/settings/github/installed"] {
        assert_eq!(location(&browser.visit(path).await), "/settings?github=app_owners");
    }
    assert!(!browser.get("/settings").await.text().await.unwrap().contains("Connect GitHub"));
}

#[tokio::test]
async fn an_answer_that_is_wrong_or_lacks_something_is_not_stored() {
    let whole = json!({
        "id": 12, "slug": "millrace-test", "name": "Millrace test", "html_url": "URL/apps/millrace-test",
        "client_id": "Iv1.x", "client_secret": "client", "webhook_secret": "webhook", "pem": APP_PRIVATE_KEY,
    });
    let without = |field: &str| {
        let mut answer = whole.clone();
        answer.as_object_mut().unwrap().remove(field);
        answer
    };
    let with = |field: &str, value: Value| {
        let mut answer = whole.clone();
        answer[field] = value;
        answer
    };
    let answers = [
        without("pem"),
        without("webhook_secret"),
        with("pem", json!("not a key")),
        with("id", json!(-1)),
        with("webhook_secret", Value::Null),
        with("client_secret", json!("")),
        with("slug", json!("../../evil")),
        with("html_url", json!("https://evil.example.com/apps/x")),
        json!([]),
        json!("<html>"),
    ];
    for answer in answers {
        let address = answers_with(answer.clone()).await;
        let app = App::with(&[("MILLRACE_GITHUB__URL", &address)]).await;
        let mut owner = Browser::signed_in(&app, "owner").await;
        let response = come_back(&app, &mut owner).await;
        assert_eq!(location(&response), "/settings?github=app_incomplete", "{answer}");
        let stored: i64 =
            sqlx::query_scalar("SELECT count(*) FROM github_app").fetch_one(app.db()).await.unwrap();
        assert_eq!(stored, 0);
    }
}

/// Comes back with a code that this GitHub knows.
async fn come_back(app: &App, owner: &mut Browser<'_>) -> Response {
    let page = owner.get("/settings").await.text().await.unwrap();
    let action = Url::parse(&attribute(&page, "action=\"http", "action=\"")).unwrap();
    let state = action.query_pairs().next().unwrap().1.into_owned();
    owner.visit(&app.url(&format!("/settings/github/created?code=abc&state={state}"))).await
}

/// A GitHub that converts every code to this.
async fn answers_with(answer: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = serde_json::from_str(&answer.to_string().replace("URL", &address)).unwrap();
    let convert = post(move || std::future::ready((AxumStatus::CREATED, Json::<Value>(answer))));
    let router = Router::new().route("/api/v3/app-manifests/{code}/conversions", convert);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_may_do_what_it_is_for() {
    let story = Story::connected().await;
    let world = story.github.world();
    let number = world.open_issue(REPOSITORY, "ada", "Ripe", "When?");
    story.github.world().install_app(world.apps()[0].id, &["ada/meadow"]);
    world.make_private(REPOSITORY);
    world.make_private("ada/meadow");

    for (purpose, may_read, may_answer) in [
        (Purpose::Read, true, false),
        (Purpose::Answer, true, true),
        (Purpose::Fetch, false, false),
        (Purpose::Push, false, false),
    ] {
        let client = story.app.connection.client(&repository(), purpose).await.unwrap();
        let read = client.get::<Value>(&format!("/repos/{REPOSITORY}/issues/{number}")).await;
        assert_eq!(read.is_ok(), may_read, "{purpose:?}: {read:?}");
        let comment = json!({ "body": "Soon." });
        let path = format!("/repos/{REPOSITORY}/issues/{number}/comments");
        let answer = client.post::<Value>(&path, &comment).await;
        assert_eq!(answer.is_ok(), may_answer, "{purpose:?}: {answer:?}");
        assert!(
            client.get::<Value>("/repos/ada/meadow").await.is_err(),
            "{purpose:?} sees another repository"
        );
    }
}

#[tokio::test]
async fn many_who_want_the_same_token_ask_once() {
    let story = Story::connected().await;
    let before = story.asked("POST", "access_tokens");

    let repository = repository();
    let tokens = join_all((0..50).map(|_| story.app.connection.token(&repository, Purpose::Read))).await;
    let first = tokens[0].as_ref().unwrap().0.expose_secret();

    assert!(tokens.iter().all(|token| token.as_ref().unwrap().0.expose_secret() == first));
    assert_eq!(story.asked("POST", "access_tokens") - before, 1);
    story.app.connection.token(&repository, Purpose::Fetch).await.unwrap();
    assert_eq!(story.asked("POST", "access_tokens") - before, 2, "another purpose, another token");
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_used_once_more_and_then_another() {
    let story = Story::connected().await;
    let repository = repository();
    let ask = async || {
        let client = story.app.connection.client(&repository, Purpose::Read).await.unwrap();
        client.branch_head(&repository, "main").await
    };
    ask().await.unwrap();
    story.github.world().revoke_installation_tokens();

    assert_eq!(ask().await, Err(GitHubError::Unauthorized));
    ask().await.unwrap();
}

#[tokio::test]
async fn many_who_ask_in_vain_have_one_answer_and_the_next_one_asks_again() {
    let story = Story::connected().await;
    let before = story.asked("POST", "access_tokens");
    story.github.world().fail_next("POST", "/app/installations", 500, 1);

    // The App is at hand, so that all ask at the same time.
    story.app.connection.own_login().await.unwrap();
    let repository = repository();
    let refused = join_all((0..20).map(|_| story.app.connection.token(&repository, Purpose::Read))).await;

    assert!(refused.iter().all(Result::is_err));
    assert_eq!(story.asked("POST", "access_tokens") - before, 1);
    story.app.connection.token(&repository, Purpose::Read).await.unwrap();
}

#[tokio::test]
async fn where_the_app_is_not_installed_somebody_is_told_and_it_works_once_it_is() {
    let story = Story::connected().await;
    let meadow: RepositoryName = "ada/meadow".parse().unwrap();

    let refused = story.app.connection.token(&meadow, Purpose::Fetch).await;

    assert!(matches!(refused, Err(ConnectionError::NotInstalled(_))), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("settings page"));
    // Nobody has told Millrace of it.
    let id = story.github.world().apps()[0].id;
    story.github.world().install_app(id, &["ada/meadow"]);
    story.app.connection.token(&meadow, Purpose::Fetch).await.unwrap();
}

#[tokio::test]
async fn an_installation_that_was_made_anew_is_found() {
    let story = Story::connected().await;
    let known: i64 =
        sqlx::query_scalar("SELECT id FROM github_installations").fetch_one(story.app.db()).await.unwrap();
    let world = story.github.world();
    let id = world.apps()[0].id;
    world.uninstall_app(known.try_into().unwrap(), "ada");
    world.install_app(id, &[REPOSITORY]);

    story.app.connection.token(&repository(), Purpose::Fetch).await.unwrap();

    world.suspend_installation(world_installation(&story).await, "ada");
    story.app.connection.refresh_installations().await.unwrap();
    let page = Browser::signed_in(&story.app, "owner").await.get("/settings").await.text().await.unwrap();
    assert!(page.contains("Suspended at GitHub"), "{page}");
    let refused = story.app.connection.token(&repository(), Purpose::Push).await;
    assert!(matches!(refused, Err(ConnectionError::NotInstalled(_))), "{refused:?}");
}

async fn world_installation(story: &Story) -> u64 {
    story.app.connection.refresh_installations().await.unwrap();
    let id: i64 =
        sqlx::query_scalar("SELECT id FROM github_installations").fetch_one(story.app.db()).await.unwrap();
    id.try_into().unwrap()
}

#[tokio::test]
async fn servers_share_the_app_and_forget_it_together() {
    let story = Story::begin().await;
    let other = another(&story.app, |_| {});
    assert!(other.as_app().await.unwrap().is_none());
    let mut owner = Browser::signed_in(&story.app, "owner").await;
    let back = story.create_app(&owner, None).await;
    owner.visit(&back).await;

    let login = eventually("the other server knows the App", async || other.own_login().await.ok()).await;
    assert_eq!(login, story.app.connection.own_login().await.unwrap());

    other.disconnect().await.unwrap();
    eventually("the first one has forgotten it", async || {
        story.app.connection.as_app().await.unwrap().is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_app_of_another_github_or_key_is_not_used() {
    let story = Story::connected().await;
    let elsewhere =
        another(&story.app, |config| config.github.url = Url::parse("http://127.0.0.1:9").unwrap());
    assert!(elsewhere.as_app().await.unwrap().is_none());

    let other_key = another(&story.app, |config| config.server.secret_key = "0f".repeat(32).into());
    let refused = other_key.as_app().await;
    assert!(matches!(refused, Err(ConnectionError::Seal(_))));
    other_key.disconnect().await.unwrap();
    assert!(other_key.as_app().await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_from_the_settings_does_without_an_app() {
    let github = FakeGitHub::start(None).await.unwrap();
    github.world().add_repository(REPOSITORY);
    github.world().add_token("grace", "ghp_test");
    let url = github.url();
    let app = App::with(&[
        ("MILLRACE_GITHUB__URL", &url),
        ("MILLRACE_GITHUB__TOKEN", "ghp_test"),
        ("MILLRACE_GITHUB__WEBHOOK_SECRET", "by hand"),
    ])
    .await;

    let token = app.connection.token(&repository(), Purpose::Push).await.unwrap();

    assert_eq!(token.0.expose_secret(), "ghp_test");
    assert_eq!(app.connection.own_login().await.unwrap(), "grace");
    assert_eq!(app.connection.webhook_secrets().await.unwrap()[0].expose_secret(), "by hand");
    let without = App::start().await;
    let refused = without.connection.token(&repository(), Purpose::Read).await;
    assert!(matches!(refused, Err(ConnectionError::NotConnected)));
}
