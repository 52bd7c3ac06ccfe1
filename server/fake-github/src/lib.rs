//! A GitHub for tests and for trying Millrace offline: the REST API, webhooks, signing in and git over HTTP.
//!
//! It keeps to GitHub's public documentation as GitHub Enterprise Server has it: pages at the root, the API below
//! `/api/v3`. What it knows is in memory; the repositories are real ones in a folder that goes when it goes.

mod faults;
mod git;
mod git_http;
mod limits;
mod manifest;
mod oauth;
mod pages;
mod refusal;
mod rest;
mod secrets;
mod serve;
mod webhooks;
mod world;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

pub use faults::{RateLimit, Request};
pub use secrets::APP_PRIVATE_KEY;
pub use webhooks::{Delivery, HookOwner};
pub use world::{
    Account, AccountKind, App, CheckRun, Comment, Pull, PullSummary, Reaction, Repository, Review,
    ReviewComment, Role, Thread, World,
};

/// A running GitHub; it stops, and its repositories go, when this is dropped.
pub struct FakeGitHub {
    world: Arc<World>,
    url: String,
    tasks: [JoinHandle<()>; 2],
    _repositories: TempDir,
}

impl FakeGitHub {
    /// Listens there, or on a free port of the loopback.
    pub async fn start(listen: Option<SocketAddr>) -> io::Result<Self> {
        // The only error is that it was done already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let repositories = tempfile::Builder::new().prefix("fake-github-").tempdir()?;
        let (outbox, queue) = mpsc::channel(webhooks::QUEUE);
        let world = Arc::new(World::new(url.clone(), repositories.path().to_owned(), outbox));
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let client = client.map_err(io::Error::other)?;
        let tasks = [
            tokio::spawn(serve::serve(listener, Arc::clone(&world))),
            tokio::spawn(webhooks::send_all(Arc::clone(&world), client, queue)),
        ];
        Ok(Self { world, url, tasks, _repositories: repositories })
    }

    /// Where the pages are; the API is below `/api/v3`, and git at `/OWNER/NAME.git`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What tests arrange and look at.
    pub fn world(&self) -> &World {
        &self.world
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
