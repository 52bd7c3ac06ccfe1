//! The REST API: requests with a token, errors that say what to do, rate limits that are obeyed.
//!
//! A request that reads is asked again when the network or GitHub fails for a moment. One that writes is not: whether it was
//! done is for the caller to find out, who knows how to look. Each topic has a file of its own with its calls.

mod access;
mod checks;
mod error;
mod hook_deliveries;
mod issues;
mod kept;
mod pulls;
mod threads;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use self::kept::Kept;
pub use self::{
    checks::{CheckRun, Conclusion},
    error::GitHubError,
    hook_deliveries::{HookDelivery, WebhookOf, WebhookPlace},
    issues::{Comment, Reacted},
    kept::RateLimit,
    pulls::{NewPull, Pull},
    threads::{Annotation, PullState, Said},
};
use crate::queue::Queue;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(30);
/// How long to wait before a request that reads is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// The most entries of a list on one page, and the most pages of a list.
const PAGE: usize = 100;
const PAGES: usize = 20;
/// The largest answer that is read.
const ANSWER_BYTES: usize = 16 << 20;

/// One GitHub: its addresses, and a connection to it. Cloning is cheap.
#[derive(Clone)]
pub struct GitHub {
    http: reqwest::Client,
    web: Url,
    api: Url,
    kept: Arc<Kept>,
}

impl GitHub {
    /// `web` is where people find it.
    pub fn new(web: &Url, queue: Option<Queue>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(LIMIT)
            // A token is for the address that it is sent to, and for no other one.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let api = api_address(web);
        Ok(Self { http, web: web.clone(), api, kept: Arc::new(Kept::new(queue)) })
    }

    pub fn web(&self) -> &Url {
        &self.web
    }

    /// For requests that are not of the REST API.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks with `token`. `identity` says whose it is and what it may see, in a way that stays the same when the token is
    /// renewed: kept answers belong to it, and so do rate limits unless it shares them.
    pub fn with_token(&self, token: SecretString, identity: impl Into<String>) -> Client {
        let identity = identity.into();
        Client {
            github: self.clone(),
            token: Some(token),
            limited_with: identity.clone(),
            identity,
            refused: None,
        }
    }

    /// Sends a request that is not of the REST API, and reads the JSON that answers it.
    pub async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, GitHubError> {
        let response = request.send().await.map_err(GitHubError::away)?;
        if !response.status().is_success() {
            return Err(GitHubError::read(response).await);
        }
        parsed(&body(response).await?)
    }

    /// Asks without any token.
    pub fn anonymous(&self) -> Client {
        let name = || "anonymous".to_owned();
        Client { github: self.clone(), token: None, identity: name(), limited_with: name(), refused: None }
    }
}

/// github.com and the tenants of GitHub Enterprise Cloud, `NAME.ghe.com`, have a host of its own for it; an Enterprise Server
/// has a path.
fn api_address(web: &Url) -> Url {
    let address = match web.host_str() {
        Some(host) if host == "github.com" || host.ends_with(".ghe.com") => format!("https://api.{host}"),
        _ => format!("{}/api/v3", web.as_str().trim_end_matches('/')),
    };
    Url::parse(&address).unwrap_or_else(|_| web.clone())
}

/// Asks one GitHub in somebody's name. Paths begin with a slash and are made of parsed names and numbers only.
#[derive(Clone)]
pub struct Client {
    github: GitHub,
    token: Option<SecretString>,
    identity: String,
    /// All clients with the same word here wait together: GitHub counts what an installation asks, whichever token it has.
    limited_with: String,
    /// Is told when GitHub does not take the token.
    refused: Option<Refused>,
}

/// Whether GitHub has refused a token: it may have been taken back before its end.
#[derive(Clone, Debug, Default)]
pub struct Refused(Arc<AtomicBool>);

impl Refused {
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Client {
    /// The same client, which notes there that GitHub does not take its token.
    pub fn noting_refusals(self, refused: Refused) -> Self {
        Self { refused: Some(refused), ..self }
    }

    /// The same client, whose rate limit is also that of others.
    pub fn sharing_limits_of(self, account: impl Into<String>) -> Self {
        Self { limited_with: account.into(), ..self }
    }

    pub fn github(&self) -> &GitHub {
        &self.github
    }

    /// Reads. An answer that GitHub says has not changed since is taken from Redis and costs nothing of the rate limit.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GitHubError> {
        let known = self.github.kept.answer(&self.identity, path).await;
        let mut pauses = PAUSES.iter();
        let response = loop {
            let mut request = self.request(Method::GET, path);
            if let Some(known) = &known {
                request = request.header(header::IF_NONE_MATCH, &known.etag);
            }
            match self.send(request).await {
                Err(error) if error.may_pass_soon() => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error),
                },
                answer => break answer?,
            }
        };
        if response.status() == StatusCode::NOT_MODIFIED
            && let Some(known) = known
        {
            return parsed(known.body.as_bytes());
        }
        let etag =
            response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let body = body(response).await?;
        let answer = parsed(&body)?;
        if let Some(etag) = etag {
            self.github.kept.keep(&self.identity, path, &etag, &body).await;
        }
        Ok(answer)
    }

    /// Reads a whole list, page by page, up to a bound. `path` has no page in it.
    pub async fn get_all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, GitHubError> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let part: Vec<T> = self.get(&format!("{path}{separator}per_page={PAGE}&page={page}")).await?;
            let is_last = part.len() < PAGE;
            all.extend(part);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Reads one page of a list, and where the next one is, if there is one.
    pub async fn get_page<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(Vec<T>, Option<String>), GitHubError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        let links = response.headers().get(header::LINK).and_then(|links| links.to_str().ok());
        let next = links.and_then(|links| next_page(links, &self.github.api));
        Ok((parsed(&body(response).await?)?, next))
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, GitHubError> {
        self.write(Method::POST, path, body).await
    }

    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, GitHubError> {
        self.write(Method::PATCH, path, body).await
    }

    /// For what needs nothing but its address.
    pub async fn without_body<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, GitHubError> {
        let response = self.send(self.request(method, path)).await?;
        parsed(&body(response).await?)
    }

    async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        value: &(impl Serialize + Sync),
    ) -> Result<T, GitHubError> {
        let response = self.send(self.request(method, path).json(value)).await?;
        let body = body(response).await?;
        // Some answers are empty: `null` stands for them.
        parsed(if body.is_empty() { b"null" } else { &body })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = format!("{}{path}", self.github.api.as_str().trim_end_matches('/'));
        let request = self
            .github
            .http
            .request(method, address)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Sends a request, unless GitHub has asked for a pause.
    async fn send(&self, request: RequestBuilder) -> Result<Response, GitHubError> {
        if let Some(until) = self.github.kept.limited_until(&self.limited_with, Utc::now()) {
            return Err(GitHubError::RateLimited { until });
        }
        let (http, request) = request.build_split();
        let request = request.map_err(GitHubError::away)?;
        let again = request.try_clone();
        let mut response = http.execute(request).await.map_err(GitHubError::away)?;
        if let (Some(place), Some(mut again)) = (moved(&response, &self.github.api), again) {
            *again.url_mut() = place;
            response = http.execute(again).await.map_err(GitHubError::away)?;
        }
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let error = GitHubError::read(response).await;
        match &error {
            GitHubError::RateLimited { until } => self.github.kept.limit(&self.limited_with, *until),
            GitHubError::Unauthorized => self.refused.iter().for_each(Refused::note),
            _ => {}
        }
        Err(error)
    }
}

/// Where something is now that has another name, as a repository can have. A token goes to no other place than the API.
fn moved(response: &Response, api: &Url) -> Option<Url> {
    const MOVED: [StatusCode; 3] =
        [StatusCode::MOVED_PERMANENTLY, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
    if !MOVED.contains(&response.status()) {
        return None;
    }
    let place = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let place = response.url().join(place).ok()?;
    let is_api = place.origin() == api.origin() && place.path().starts_with(api.path());
    is_api.then_some(place)
}

/// Reads an answer up to a bound.
async fn body(mut response: Response) -> Result<Vec<u8>, GitHubError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(GitHubError::away)? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(GitHubError::Unexpected("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, GitHubError> {
    serde_json::from_slice(body).map_err(|error| {
        GitHubError::Unexpected(format!("the answer is not what its documentation says ({error})"))
    })
}

/// The path of the next page in a `Link` header: `<https://…>; rel="next"`. An address elsewhere is none.
fn next_page(links: &str, api: &Url) -> Option<String> {
    links.split(',').find_map(|link| {
        let (address, about) = link.trim().split_once('>')?;
        let path = address.strip_prefix('<')?.strip_prefix(api.as_str().trim_end_matches('/'))?;
        (about.contains(r#"rel="next""#) && path.starts_with('/')).then(|| path.to_owned())
    })
}

/// Until when GitHub wants to be left alone, from what it answered.
fn pause(headers: &header::HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    if let Some(seconds) = number("retry-after") {
        return Some(now + chrono::TimeDelta::seconds(seconds.clamp(1, 3600)));
    }
    let is_used_up = number("x-ratelimit-remaining") == Some(0);
    number("x-ratelimit-reset").filter(|_| is_used_up).and_then(|at| DateTime::from_timestamp(at, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_where_each_github_has_it() {
        let api = |web: &str| api_address(&Url::parse(web).unwrap()).to_string();
        assert_eq!(api("https://github.com"), "https://api.github.com/");
        assert_eq!(api("https://octo.ghe.com"), "https://api.octo.ghe.com/");
        assert_eq!(api("https://git.example.com/"), "https://git.example.com/api/v3");
        assert_eq!(api("https://example-ghe.com"), "https://example-ghe.com/api/v3");
        assert_eq!(api("http://127.0.0.1:7180"), "http://127.0.0.1:7180/api/v3");
    }

    #[test]
    fn the_next_page_is_one_of_the_same_api() {
        let api = Url::parse("https://git.example.com/api/v3").unwrap();
        let next = |links: &str| next_page(links, &api);
        let links = r#"<https://git.example.com/api/v3/a?cursor=1>; rel="prev", <https://git.example.com/api/v3/a?cursor=2>; rel="next""#;
        assert_eq!(next(links).as_deref(), Some("/a?cursor=2"));
        assert_eq!(next(r#"<https://example.com/a>; rel="next""#), None);
        assert_eq!(next(r#"<https://git.example.com/api/v3.example.com/a>; rel="next""#), None);
        assert_eq!(next(""), None);
    }

    #[test]
    fn what_has_moved_is_followed_within_the_api_alone() {
        let api = Url::parse("https://git.example.com/api/v3").unwrap();
        let place = |status: u16, location: &str| {
            let answer =
                http::Response::builder().status(status).header(header::LOCATION, location).body("").unwrap();
            moved(&Response::from(answer), &api).map(|url| url.to_string())
        };
        let there = "https://git.example.com/api/v3/repositories/7/issues";
        assert_eq!(place(301, there).as_deref(), Some(there));
        assert_eq!(place(307, there).as_deref(), Some(there));
        assert_eq!(place(200, there), None);
        for elsewhere in
            ["https://example.com/api/v3/x", "https://git.example.com/x", "http://git.example.com/api/v3/x"]
        {
            assert_eq!(place(301, elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_pause_is_as_long_as_github_says() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let headers = |pairs: &[(&'static str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
                .collect()
        };
        let seconds =
            |pairs: &[(&'static str, &str)]| pause(&headers(pairs), now).map(|until| until.timestamp());
        assert_eq!(seconds(&[("retry-after", "30")]), Some(1_030));
        assert_eq!(seconds(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700")]), Some(1_700));
        assert_eq!(seconds(&[("x-ratelimit-remaining", "12"), ("x-ratelimit-reset", "1700")]), None);
    }
}
