//! Signing in with OAuth and PKCE.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use millrace_fake_github::FakeGitHub;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::github::{client, get, github};

const CALLBACK: &str = "http://127.0.0.1:7100/auth/callback";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-in-all";

/// What the browser is sent back with when it chose this login.
async fn choose(github: &FakeGitHub, login: &str) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let form = [
        ("client_id", "client"),
        ("redirect_uri", CALLBACK),
        ("state", "a state"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("scope", "read:org"),
        ("login", login),
    ];
    let answer =
        client().post(format!("{}/login/oauth/authorize", github.url())).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn exchange(github: &FakeGitHub, code: &str, verifier: &str, secret: &str) -> Value {
    let form =
        [("client_id", "client"), ("client_secret", secret), ("code", code), ("code_verifier", verifier)];
    let request = client().post(format!("{}/login/oauth/access_token", github.url())).form(&form);
    let answer = request.header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn with_client() -> FakeGitHub {
    let github = github().await;
    github.world().add_oauth_client("client", "secret", &[CALLBACK]);
    github
}

#[tokio::test]
async fn who_was_chosen_is_signed_in() {
    let github = with_client().await;
    let back = choose(&github, "ada").await;
    assert_eq!(parameter(&back, "state"), "a state");
    let answer = exchange(&github, &parameter(&back, "code"), VERIFIER, "secret").await;
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("gho_"));
    let user: Value = get(&github, "/user", token).await.json().await.unwrap();
    assert_eq!(user["login"], "ada");
}

#[tokio::test]
async fn a_code_is_good_for_once() {
    let github = with_client().await;
    let code = parameter(&choose(&github, "ada").await, "code");
    assert!(exchange(&github, &code, VERIFIER, "secret").await["access_token"].is_string());
    assert_eq!(exchange(&github, &code, VERIFIER, "secret").await["error"], "bad_verification_code");
}

#[tokio::test]
async fn a_wrong_verifier_or_secret_brings_no_token() {
    let github = with_client().await;
    let code = parameter(&choose(&github, "ada").await, "code");
    let answer = exchange(&github, &code, VERIFIER, "wrong").await;
    assert_eq!(answer["error"], "incorrect_client_credentials");
    assert_eq!(exchange(&github, &code, "wrong", "secret").await["error"], "bad_verification_code");
}

#[tokio::test]
async fn who_denies_goes_back_with_an_error() {
    let github = with_client().await;
    let back = choose(&github, "").await;
    assert_eq!(parameter(&back, "error"), "access_denied");
    assert_eq!(parameter(&back, "state"), "a state");
}

#[tokio::test]
async fn a_foreign_address_is_not_led_back_to() {
    let github = with_client().await;
    let query = "client_id=client&redirect_uri=https%3A%2F%2Feve.example%2F";
    let answer =
        client().get(format!("{}/login/oauth/authorize?{query}", github.url())).send().await.unwrap();
    let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(
        (back.host_str(), parameter(&back, "error").as_str()),
        (Some("127.0.0.1"), "redirect_uri_mismatch")
    );
}
