//! An application that is connected to a fake GitHub, by a plain webhook and a token, with verbs for what people do there.

use std::sync::Arc;

use app::model::{Delivery, DeliveryPage, JobDetail, Verdict};
use millrace::{
    config::Forks,
    db::github_app::{self, AppRow},
    github::signature,
    seal::Seal,
    webhooks::Webhooks,
};
use millrace_fake_github::{APP_PRIVATE_KEY, App as GitHubApp, FakeGitHub, World};
use reqwest::Response;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use url::Url;
use uuid::Uuid;

use super::{App, eventually, until};

/// The repository that everything happens in. Ada owns it.
pub const ORCHARD: &str = "ada/orchard";
const SECRET: &str = "a webhook's secret";
/// Millrace's own account, and what it has from there.
pub const OWN: &str = "mill";
pub const TOKEN: &str = "a token of mill's";

pub struct Hub {
    pub app: App,
    pub github: FakeGitHub,
    working: Option<AbortOnDropHandle<()>>,
}

impl Hub {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings by the names of their environment variables.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let mut hub = Self::idle(settings).await;
        hub.work();
        hub
    }

    /// With an agent `mine` that is a shell script, which works for whoever names no other one.
    pub async fn with_agent(script: &str, forks: Forks) -> Self {
        let github = FakeGitHub::start(None).await.unwrap();
        let url: Url = github.url().parse().unwrap();
        let app = App::with_agent(script, move |config| {
            config.agents.default = "mine".to_owned();
            config.github.url = url.clone();
            config.github.token = TOKEN.into();
            config.github.webhook_secret = SECRET.into();
            config.github.forks = forks;
        });
        let mut hub = Self::between(app.await, github);
        hub.work();
        hub
    }

    /// Where nobody works on deliveries yet.
    pub async fn idle(settings: &[(&str, &str)]) -> Self {
        let github = FakeGitHub::start(None).await.unwrap();
        let url = github.url();
        let own = [
            ("MILLRACE_GITHUB__URL", url.as_str()),
            ("MILLRACE_GITHUB__TOKEN", TOKEN),
            ("MILLRACE_GITHUB__WEBHOOK_SECRET", SECRET),
            ("MILLRACE_AGENTS__DEFAULT", "demo"),
            ("MILLRACE_LIMITS__FAILED_SIGN_INS_PER_MINUTE", "100000"),
        ];
        let settings: Vec<_> = own.into_iter().chain(settings.iter().copied()).collect();
        Self::between(App::with(&settings).await, github)
    }

    fn between(app: App, github: FakeGitHub) -> Self {
        let world = github.world();
        for login in ["ada", "grace", "eve", OWN] {
            world.add_user(login);
        }
        world.add_repository(ORCHARD);
        world.set_permission(ORCHARD, "grace", "write");
        world.set_permission(ORCHARD, OWN, "write");
        world.add_token(OWN, TOKEN);
        world.add_plain_webhook(ORCHARD, &app.url("/webhooks/github"), SECRET);
        Self { app, github, working: None }
    }

    /// Begins to work on deliveries.
    pub fn work(&mut self) {
        let (config, connection) = (Arc::clone(&self.app.config), self.app.connection.clone());
        let webhooks = Webhooks::new(config, self.app.lifecycle.clone(), connection);
        let work = webhooks.run(CancellationToken::new());
        self.working = Some(AbortOnDropHandle::new(tokio::spawn(work)));
    }

    /// Makes Millrace an App that is installed for the repository, with a webhook of its own.
    pub async fn become_app(&self) {
        let (webhook_url, webhook_secret) = (self.app.url("/webhooks/github"), "the App's secret".to_owned());
        let made = GitHubApp { webhook_url, webhook_secret: webhook_secret.clone(), ..GitHubApp::default() };
        let (slug, client_id) = (made.slug.clone(), made.client_id.clone());
        let app_id = i64::try_from(self.world().add_app(made)).unwrap();
        let secrets = json!({
            "private_key": APP_PRIVATE_KEY, "webhook_secret": webhook_secret, "client_secret": "unused",
        });
        let seal = Seal::open(&self.app.config.server).unwrap();
        let sealed = seal.seal(&format!("github_app/{app_id}"), &secrets.to_string().into()).unwrap();
        let url = self.github.url();
        let html_url = format!("{url}/apps/{slug}");
        let row = AppRow { url, app_id, name: slug.clone(), slug, html_url, client_id, sealed };
        assert!(github_app::insert(self.app.db(), &row).await.unwrap());
        self.world().install_app(app_id, &[ORCHARD]);
        // What was known before is believed for a moment.
        until("the App is known", async || self.app.connection.as_app().await.unwrap().is_some()).await;
    }

    pub fn world(&self) -> &World {
        self.github.world()
    }

    pub fn webhook_secret(&self) -> SecretString {
        SecretString::from(SECRET)
    }

    // What people do

    /// Ada's issue.
    pub fn issue(&self) -> u64 {
        self.world().open_issue(ORCHARD, "ada", "The apples are sour", "They should be sweet.")
    }

    /// Somebody comments, and the delivery of it is worked on.
    pub async fn comment(&self, number: u64, author: &str, body: &str) -> Delivery {
        self.world().comment(ORCHARD, number, author, body);
        self.last().await
    }

    // Deliveries

    /// Sends what GitHub could send.
    pub async fn deliver(&self, event: &str, id: &str, body: &[u8]) -> Response {
        let signature = signature::sign(&self.webhook_secret(), body);
        let request = self.app.http.post(self.app.url("/webhooks/github"));
        let request = request.header("x-github-event", event).header("x-github-delivery", id);
        request.header(signature::SIGNATURE, signature).body(body.to_vec()).send().await.unwrap()
    }

    pub async fn deliver_new(&self, event: &str, body: &Value) -> Response {
        self.deliver(event, &Uuid::new_v4().to_string(), body.to_string().as_bytes()).await
    }

    /// All deliveries but GitHub's first word to a webhook, the latest first.
    pub async fn deliveries(&self) -> Vec<Delivery> {
        let page = self.app.get_json("/api/deliveries?limit=200").await;
        let all = serde_json::from_value::<DeliveryPage>(page).unwrap().deliveries;
        all.into_iter().filter(|delivery| delivery.event != "ping").collect()
    }

    /// All deliveries once everything that GitHub has sent was worked on.
    pub async fn settled(&self) -> Vec<Delivery> {
        self.world().settled().await;
        eventually("everything was worked on", async || {
            let all = self.deliveries().await;
            all.iter().all(|delivery| delivery.verdict.is_some()).then_some(all)
        })
        .await
    }

    /// The latest delivery, once it was worked on, but for those of comments of Millrace's own.
    pub async fn last(&self) -> Delivery {
        let all = self.settled().await;
        all.into_iter().find(|delivery| delivery.sender.as_deref() != Some(OWN)).unwrap()
    }

    /// The verdicts of all deliveries of an event, the latest first.
    pub async fn verdicts(&self, event: &str) -> Vec<Verdict> {
        let all = self.settled().await;
        all.into_iter()
            .filter(|delivery| delivery.event == event && delivery.sender.as_deref() != Some(OWN))
            .filter_map(|delivery| delivery.verdict)
            .collect()
    }

    /// Those too that are about what Millrace's own account did.
    pub async fn verdicts_of_all(&self, event: &str) -> Vec<Verdict> {
        let all = self.settled().await;
        all.into_iter().filter(|one| one.event == event).filter_map(|one| one.verdict).collect()
    }

    /// The latest delivery of an event, which waits for another try.
    pub async fn put_off(&self, event: &str) -> Delivery {
        self.world().settled().await;
        eventually("the delivery is put off", async || {
            let found = self.deliveries().await.into_iter().find(|delivery| delivery.event == event)?;
            (found.verdict.is_none() && found.detail.is_some()).then_some(found)
        })
        .await
    }

    /// Lets deliveries that wait for another try be at their last one, at once.
    pub async fn try_for_the_last_time(&self) {
        sqlx::query("UPDATE deliveries SET in_a_row = 8, due_at = now() WHERE verdict IS NULL")
            .execute(self.app.db())
            .await
            .unwrap();
    }

    // Jobs

    pub async fn job_of(&self, delivery: &Delivery) -> JobDetail {
        assert_eq!(delivery.verdict, Some(Verdict::Ran), "{delivery:?}");
        self.app.job(delivery.job.unwrap()).await
    }

    /// How many jobs there are.
    pub async fn jobs(&self) -> usize {
        self.app.get_json("/api/jobs?limit=200").await["jobs"].as_array().unwrap().len()
    }

    /// How often GitHub was asked this.
    pub fn asked(&self, method: &str, end: &str) -> usize {
        let requests = self.world().requests();
        requests.iter().filter(|request| request.method == method && request.path.ends_with(end)).count()
    }

    /// What Millrace wrote in a thread.
    pub fn said(&self, number: u64) -> Vec<String> {
        let comments = self.world().comments(ORCHARD, number);
        comments.into_iter().filter(|comment| comment.author == OWN).map(|comment| comment.body).collect()
    }
}
