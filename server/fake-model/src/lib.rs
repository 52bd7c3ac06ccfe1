//! A model server for tests that speaks the formats of the providers as their streams have them.
//!
//! Asked by an agent, it first wants a file written, by whichever of the agent's tools can do that, and when it hears the
//! tool's result it says that it is done. Or it refuses, in the way of the provider.

mod anthropic;
mod chat;
mod gemini;
mod refusal;
mod responses;
mod stream;
mod tools;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

pub use refusal::Refusal;
use tools::Tool;

/// The file that is wanted.
pub const FILE: &str = "hello.txt";
/// What is to be in it.
pub const CONTENT: &str = "hello from the fake model\n";
/// What is said at the end.
pub const DONE: &str = "Done: created hello.txt.";

/// What the server does when it is asked.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// It has the file written.
    Works,
    /// It refuses so many times and works then.
    RefusesAtFirst(usize, Refusal),
    /// It never does anything else.
    Refuses(Refusal),
}

/// What was asked, in order.
type Requests = Arc<Mutex<Vec<Value>>>;
/// What it was signed with.
type Keys = Arc<Mutex<BTreeSet<String>>>;

/// A running server; it stops when this is dropped.
pub struct FakeModel {
    address: SocketAddr,
    requests: Requests,
    keys: Keys,
    serving: JoinHandle<()>,
}

impl FakeModel {
    /// Listens on a free port of the loopback.
    pub async fn start(behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (requests, keys) = (Requests::default(), Keys::default());
        let server = Arc::new(Server { behaviour, requests: Arc::clone(&requests) });
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/responses", post(responses))
            .route("/v1/chat/completions", post(chat_completions))
            .route("/v1beta/models/{call}", post(gemini_call))
            .with_state(server)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(Arc::clone(&keys), note_key));
        let serving = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, requests, keys, serving })
    }

    /// Without a path: Anthropic's and Gemini's clients add `/v1` and `/v1beta` themselves.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys with which it was asked.
    pub fn keys(&self) -> BTreeSet<String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn note_key(State(keys): State<Keys>, request: Request, next: Next) -> Response {
    keys.lock().unwrap_or_else(PoisonError::into_inner).extend(key(request.headers()));
    next.run(request).await
}

fn key(headers: &HeaderMap) -> Option<String> {
    let value =
        ["x-api-key", "x-goog-api-key", "authorization"].iter().find_map(|name| headers.get(*name))?;
    Some(value.to_str().ok()?.trim_start_matches("Bearer ").to_owned())
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Server {
    behaviour: Behaviour,
    requests: Requests,
}

/// What is answered to one request.
enum Answer {
    /// A tool is to be used with this input.
    Use(Tool),
    Say(&'static str),
}

impl Server {
    /// Why this request is refused, if it is.
    fn refusal(&self, request: &Value) -> Option<Refusal> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_before = requests.len();
        requests.push(request.clone());
        match self.behaviour {
            Behaviour::Works => None,
            Behaviour::RefusesAtFirst(times, refusal) => (asked_before < times).then_some(refusal),
            Behaviour::Refuses(refusal) => Some(refusal),
        }
    }
}

impl Answer {
    /// What to do next in a conversation with these tools.
    fn next(tools: &[(&str, &Value)], has_result: bool) -> Self {
        match tools::that_writes(tools) {
            _ if has_result => Self::Say(DONE),
            Some(tool) => Self::Use(tool),
            // For a title, a summary and the like.
            None => Self::Say("A greeting in a file"),
        }
    }
}

async fn messages(State(server): State<Arc<Server>>, Json(request): Json<Value>) -> Response {
    match server.refusal(&request) {
        Some(refusal) => refusal.as_anthropic(),
        None => anthropic::answer(&request),
    }
}

async fn responses(State(server): State<Arc<Server>>, Json(request): Json<Value>) -> Response {
    match server.refusal(&request) {
        Some(refusal) => refusal.as_openai(),
        None => responses::answer(&request),
    }
}

async fn chat_completions(State(server): State<Arc<Server>>, Json(request): Json<Value>) -> Response {
    match server.refusal(&request) {
        Some(refusal) => refusal.as_openai(),
        None => chat::answer(&request),
    }
}

/// `MODEL:generateContent` or `MODEL:streamGenerateContent`
async fn gemini_call(
    State(server): State<Arc<Server>>,
    Path(call): Path<String>,
    Json(request): Json<Value>,
) -> Response {
    match server.refusal(&request) {
        Some(refusal) => refusal.as_gemini(),
        None => gemini::answer(&call, &request),
    }
}
