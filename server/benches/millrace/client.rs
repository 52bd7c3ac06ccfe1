//! A small HTTP client: one connection, kept open, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use app::model::JobId;
use memchr::memmem;
use millrace::github::signature;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{child::Script, installation::Installation};

pub struct Client {
    stream: TcpStream,
    token: String,
    received: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, token: token.to_owned(), received: Vec::new() })
    }

    /// Asks for a job, and returns when it was accepted.
    pub async fn submit(&mut self, repository: &str, script: &str) -> anyhow::Result<JobId> {
        self.ask(&json!({ "kind": "command", "repository": repository, "script": script })).await
    }

    /// Asks for any kind of job.
    pub async fn ask(&mut self, new: &impl Serialize) -> anyhow::Result<JobId> {
        let answer = self.post("/api/jobs", &serde_json::to_value(new)?).await?;
        answer["id"]
            .as_str()
            .with_context(|| format!("the server answered {answer}"))?
            .parse()
            .map_err(Into::into)
    }

    /// Asks for so many jobs at once, and returns when they were accepted.
    pub async fn submit_list(&mut self, repository: &str, script: &str, jobs: usize) -> anyhow::Result<()> {
        let job = json!({ "kind": "command", "repository": repository, "script": script });
        let answer = self.post("/api/jobs", &Value::Array(vec![job; jobs])).await?;
        let made = answer["jobs"].as_array().map_or(0, Vec::len);
        ensure!(made == jobs, "{made} of {jobs} jobs were made");
        Ok(())
    }

    /// Asks for a job that prints.
    pub async fn submit_script(
        &mut self,
        installation: &Installation,
        script: &Script,
    ) -> anyhow::Result<JobId> {
        self.submit(&installation.repository().display().to_string(), &script.text()?).await
    }

    /// Sends a webhook's delivery, and returns when it was taken.
    pub async fn deliver(
        &mut self,
        secret: &SecretString,
        event: &str,
        id: &str,
        body: &str,
    ) -> anyhow::Result<()> {
        let signature = signature::sign(secret, body.as_bytes());
        let headers = format!(
            "X-GitHub-Event: {event}\r\nX-GitHub-Delivery: {id}\r\n{}: {signature}\r\n",
            signature::SIGNATURE
        );
        self.send("/webhooks/github", &headers, body).await.map(drop)
    }

    async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let authorization = format!("Authorization: Bearer {}\r\n", self.token);
        self.send(path, &authorization, &body.to_string()).await
    }

    /// `headers` are whole lines.
    async fn send(&mut self, path: &str, headers: &str, body: &str) -> anyhow::Result<Value> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some((answer, length)) = parse(&self.received)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            let read = self.stream.read_buf(&mut self.received).await?;
            ensure!(read > 0, "the server closed the connection");
        }
    }
}

/// An answer with JSON in it and how many bytes it has, once it is complete.
fn parse(received: &[u8]) -> anyhow::Result<Option<(Value, usize)>> {
    let Some(end) = memmem::find(received, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&received[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = length.with_context(|| format!("no length in {head}"))??;
    let (start, end) = (end + 4, end + 4 + length);
    let Some(body) = received.get(start..end) else { return Ok(None) };
    ensure!(head.starts_with("HTTP/1.1 2"), "{head}\n{}", String::from_utf8_lossy(body));
    Ok(Some((serde_json::from_slice(body)?, end)))
}
