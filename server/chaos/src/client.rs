//! What scripts do: requests to one of the servers, and to the other when that one is down.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use app::model::{Attempt, Job, JobDetail, JobId, Lane, NewJob, OutputPage};
use reqwest::{Method, RequestBuilder, Response, StatusCode};

/// A server that is stopped in the middle answers nothing.
const LIMIT: Duration = Duration::from_secs(4);
/// A stream is silent for 15 s at most.
const SILENCE: Duration = Duration::from_secs(20);
/// How often a question is put before there is no answer.
const TRIES: usize = 40;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    servers: [SocketAddr; 2],
    token: String,
}

/// What became of a request for a job.
pub enum Submitted {
    Accepted(Box<Job>),
    /// There was no answer, or one that asks for patience: nobody knows whether there is a job.
    Unknown,
}

impl Client {
    pub fn new(servers: [SocketAddr; 2], token: &str) -> anyhow::Result<Self> {
        let http =
            reqwest::Client::builder().no_proxy().connect_timeout(LIMIT).read_timeout(SILENCE).build()?;
        Ok(Self { http, servers, token: token.to_owned() })
    }

    pub async fn is_ready(&self, server: usize) -> bool {
        let answer = self.request(server, Method::GET, "/readyz").timeout(LIMIT).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// # Errors
    /// When the server understood the request and refuses it, which is a mistake of the harness.
    pub async fn submit(&self, server: usize, job: &NewJob) -> anyhow::Result<Submitted> {
        let request = self.request(server, Method::POST, "/api/jobs").json(job).timeout(LIMIT);
        let Ok(answer) = request.send().await else { return Ok(Submitted::Unknown) };
        let status = answer.status();
        let Ok(body) = answer.text().await else { return Ok(Submitted::Unknown) };
        match status {
            _ if status.is_success() => Ok(Submitted::Accepted(serde_json::from_str(&body)?)),
            _ if status.is_client_error() => bail!("a job was refused with {status}: {body}"),
            _ => Ok(Submitted::Unknown),
        }
    }

    /// The job as it is after it was canceled; `None`: nobody knows whether it was.
    pub async fn cancel(&self, server: usize, id: JobId) -> Option<Job> {
        let request = self.request(server, Method::POST, &format!("/api/jobs/{id}/cancel")).timeout(LIMIT);
        let answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
        answer.json().await.ok()
    }

    /// `None`: there is no such job.
    pub async fn job(&self, id: JobId) -> anyhow::Result<Option<JobDetail>> {
        let answer = self.get(&format!("/api/jobs/{id}")).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.json().await?))
    }

    pub async fn attempts(&self, id: JobId) -> anyhow::Result<Vec<Attempt>> {
        Ok(self.get(&format!("/api/jobs/{id}/attempts")).await?.json().await?)
    }

    pub async fn lanes(&self) -> anyhow::Result<Vec<Lane>> {
        Ok(self.get("/api/lanes").await?.json().await?)
    }

    pub async fn output(&self, id: JobId, attempt: u32, after: u64) -> anyhow::Result<OutputPage> {
        let path = format!("/api/jobs/{id}/output?attempt={attempt}&after={after}&limit=5000");
        Ok(self.get(&path).await?.json().await?)
    }

    /// An open stream of one attempt's lines after line `after`.
    pub async fn stream(
        &self,
        server: usize,
        id: JobId,
        attempt: u32,
        after: u64,
    ) -> reqwest::Result<Response> {
        let path = format!("/api/jobs/{id}/stream?attempt={attempt}&batch=1");
        let request = self.request(server, Method::GET, &path).header("last-event-id", after);
        request.send().await?.error_for_status()
    }

    /// Asks both servers in turn until one has an answer.
    async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let mut refusal = None;
        for number in 0..TRIES {
            let request = self.request(number % self.servers.len(), Method::GET, path).timeout(LIMIT);
            match request.send().await {
                Ok(answer) if answer.status().is_server_error() => {
                    refusal = Some(anyhow::anyhow!("{path}: {}", answer.status()));
                }
                Ok(answer) => return Ok(answer),
                Err(error) => refusal = Some(error.into()),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(refusal.context("nobody was asked")?)
    }

    fn request(&self, server: usize, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.servers[server])).bearer_auth(&self.token)
    }
}
