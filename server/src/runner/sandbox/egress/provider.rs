//! The way to the provider of a model. The agent asks the proxy itself, and signs with a stand-in; the key is put in its place
//! on the way out, so that nothing in the sandbox ever has it.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{AUTHORIZATION, COOKIE, EXPECT, HOST},
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use reqwest::{Body, Client, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::gate::{SILENCE_LIMIT, Traffic};

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Headers that say who asks. What else than a stand-in is in them is not passed on: with a key of somebody else's the
/// provider would be a place to carry things to.
const SIGNATURES: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];
/// The same in an address.
const SIGNING_PARAMETERS: [&str; 4] = ["key", "$key", "access_token", "oauth_token"];
/// What agents ask with. Others may have a server send back what it was sent (TRACE), the key with it.
const METHODS: [Method; 5] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];

/// Where an attempt's agent asks its model, and with what.
#[derive(Clone)]
pub struct Provider {
    client: Client,
    address: Url,
    keys: Vec<KeptKey>,
}

/// What the agent signs with, and what is put in its place.
#[derive(Clone)]
pub struct KeptKey {
    pub stand_in: String,
    pub key: SecretString,
}

/// Why the provider was not asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAsked {
    #[error("the agent's provider is not asked with {0}")]
    Method(Method),
    #[error("the agent's provider is asked for what lies below {0} alone")]
    Elsewhere(String),
    #[error("the agent's provider is asked by the agent alone, with what it was given for a key")]
    Unsigned,
    #[error("the agent's provider did not answer: {0}")]
    Failed(#[source] reqwest::Error),
}

impl Provider {
    /// Connections for all providers of a process.
    pub fn client() -> reqwest::Result<Client> {
        Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            // A key is for the address that it is sent to.
            .redirect(redirect::Policy::none())
            .referer(false)
            .build()
    }

    pub fn new(client: Client, address: Url, keys: Vec<KeptKey>) -> Self {
        Self { client, address, keys }
    }

    pub(super) async fn ask(
        &self,
        mut request: Request<Incoming>,
        traffic: &Arc<Traffic>,
    ) -> Result<Response<Body>, NotAsked> {
        if !METHODS.contains(request.method()) {
            return Err(NotAsked::Method(request.method().clone()));
        }
        let url = self.address_of(request.uri())?;
        self.sign(request.headers_mut())?;
        let (parts, body) = request.into_parts();
        let (sent, received) = (Arc::clone(traffic), Arc::clone(traffic));
        let mut asked = self.client.request(parts.method, url).headers(parts.headers);
        if !body.is_end_stream() {
            asked = asked.body(Body::wrap(body.map_frame(move |frame| {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                sent.sent.fetch_add(bytes, Ordering::Relaxed);
                frame
            })));
        }
        let mut answer = asked.send().await.map_err(|error| NotAsked::Failed(error.without_url()))?;
        // Some providers send back what they were asked with.
        for name in SIGNATURES {
            answer.headers_mut().remove(name);
        }
        Ok(Response::from(answer).map(|body: Body| {
            Body::wrap(body.map_frame(move |frame| {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                received.received.fetch_add(bytes, Ordering::Relaxed);
                frame
            }))
        }))
    }

    /// What the agent asks the proxy for, at the provider.
    fn address_of(&self, uri: &Uri) -> Result<Url, NotAsked> {
        let mut url = self.address.clone();
        // It takes the steps up that are in it.
        url.set_path(uri.path());
        let base = self.address.path().trim_end_matches('/');
        if !url.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(NotAsked::Elsewhere(format!("{base}/")));
        }
        url.set_query(None);
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            let name = percent_decode_str(name).decode_utf8_lossy();
            !pair.is_empty() && !SIGNING_PARAMETERS.contains(&name.as_ref())
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        Ok(url)
    }

    fn sign(&self, headers: &mut HeaderMap) -> Result<(), NotAsked> {
        let mut is_signed = false;
        for name in SIGNATURES {
            let given: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
            headers.remove(&name);
            for value in given.iter().filter_map(|value| self.with_key(value)) {
                headers.append(name.clone(), value);
                is_signed = true;
            }
        }
        headers.remove(HOST);
        headers.remove(EXPECT);
        if is_signed { Ok(()) } else { Err(NotAsked::Unsigned) }
    }

    /// `Bearer STAND-IN` or `STAND-IN` with the key in its place; nothing where there is anything else.
    fn with_key(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let value = value.to_str().ok()?;
        let (scheme, signature) = match value.split_once(' ') {
            Some(("Bearer" | "bearer", signature)) => ("Bearer ", signature),
            _ => ("", value),
        };
        let key = self.keys.iter().find(|key| key.stand_in == signature)?.key.expose_secret();
        let mut signed = HeaderValue::try_from(format!("{scheme}{key}")).ok()?;
        signed.set_sensitive(true);
        Some(signed)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("host", &self.address.host_str()).finish_non_exhaustive()
    }
}
