//! The verbs of these tests: requests with a token, an app's own signature, a receiver of webhooks, git.

use std::{
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use axum::{body::Bytes, http::HeaderMap, routing::post};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use millrace_fake_github::{APP_PRIVATE_KEY, App, FakeGitHub};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub const REPOSITORY: &str = "ada/orchard";

/// With `ada`'s orchard and her token `ada-token`.
pub async fn github() -> FakeGitHub {
    let github = FakeGitHub::start(None).await.unwrap();
    github.world().add_repository(REPOSITORY);
    github.world().add_token("ada", "ada-token");
    github
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

pub fn api(github: &FakeGitHub, method: Method, path: &str, token: &str) -> RequestBuilder {
    let request = client().request(method, format!("{}/api/v3{path}", github.url()));
    if token.is_empty() { request } else { request.bearer_auth(token) }
}

pub async fn get(github: &FakeGitHub, path: &str, token: &str) -> Response {
    api(github, Method::GET, path, token).send().await.unwrap()
}

pub async fn post_json(github: &FakeGitHub, path: &str, token: &str, body: Value) -> Response {
    api(github, Method::POST, path, token).json(&body).send().await.unwrap()
}

/// What an app signs itself, good for so many seconds.
pub fn jwt(app: u64, seconds: i64) -> String {
    let now = chrono::Utc::now().timestamp();
    let claims = json!({ "iat": now - 30, "exp": now + seconds, "iss": app.to_string() });
    let key = EncodingKey::from_rsa_pem(APP_PRIVATE_KEY.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
}

/// An app that is installed on the orchard: its number and the installation's.
pub fn installed(github: &FakeGitHub, webhook_url: &str) -> (u64, u64) {
    let app = github.world().add_app(App { webhook_url: webhook_url.to_owned(), ..App::default() });
    (app, github.world().install_app(app, &[REPOSITORY]))
}

/// Takes webhooks, and answers 200.
pub struct Receiver {
    pub url: String,
    received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>> = Arc::default();
        let keep = Arc::clone(&received);
        let router = axum::Router::new().route(
            "/",
            post(move |headers: HeaderMap, body: Bytes| async move {
                keep.lock().unwrap().push((headers, body));
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    pub fn received(&self) -> Vec<(HeaderMap, Bytes)> {
        self.received.lock().unwrap().clone()
    }

    /// Event and action, in order.
    pub fn events(&self) -> Vec<String> {
        let name = |(headers, body): &(HeaderMap, Bytes)| {
            let event = headers["x-github-event"].to_str().unwrap().to_owned();
            let body: Value = serde_json::from_slice(body).unwrap();
            body["action"].as_str().map_or(event.clone(), |action| format!("{event}.{action}"))
        };
        self.received().iter().map(name).collect()
    }
}

/// Off this thread, so that the server can answer.
pub async fn git(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ])
        .args(["-c", "user.name=grace", "-c", "user.email=grace@localhost", "-C"])
        .arg(folder)
        .args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The address with a token in it.
pub fn with_token(github: &FakeGitHub, token: &str) -> String {
    format!("{}/{REPOSITORY}.git", github.url().replace("://", &format!("://x-access-token:{token}@")))
}
