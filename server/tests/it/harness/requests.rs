//! What tests ask of the application over HTTP.

use app::model::{Attempt, Job, JobDetail, JobId, JobState, Line, OutputPage, Stream};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    App, EventStream, texts,
    wait::{eventually, until},
};

impl App {
    // Requests

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request in the owner's name.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(self.token.expose_secret())
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn get_json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    /// The lane of the commands.
    pub async fn commands(&self) -> Value {
        let lanes = self.get_json("/api/lanes").await;
        let commands = lanes.as_array().unwrap().iter().find(|lane| lane["kind"] == "command");
        commands.unwrap().clone()
    }

    pub async fn post(&self, path: &str) -> Response {
        self.request(Method::POST, path).send().await.unwrap()
    }

    pub async fn post_json(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    pub async fn post_as(&self, token: &SecretString, path: &str, body: &Value) -> Response {
        let url = format!("http://{}{path}", self.address);
        self.http.post(url).bearer_auth(token.expose_secret()).json(body).send().await.unwrap()
    }

    // Jobs

    /// Makes a job that runs this script on `repo`.
    pub async fn submit(&self, script: &str) -> JobId {
        self.submit_with(json!({ "script": script })).await
    }

    /// Makes a job of kind `command` on `repo` unless the fields say otherwise.
    pub async fn submit_with(&self, fields: Value) -> JobId {
        let response = self.post_json("/api/jobs", &self.new_job(fields)).await;
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{body}");
        serde_json::from_value(body["id"].clone()).unwrap()
    }

    /// Makes a job in the name of whose token this is.
    pub async fn submit_as(&self, token: &SecretString, fields: Value) -> JobId {
        let response = self.post_as(token, "/api/jobs", &self.new_job(fields)).await;
        let body: Value = response.json().await.unwrap();
        serde_json::from_value(body["id"].clone()).unwrap_or_else(|_| panic!("{body}"))
    }

    /// A request for a job of kind `command` on `repo`, with these fields on top.
    pub fn new_job(&self, fields: Value) -> Value {
        let mut job = json!({ "kind": "command", "repository": self.repo.address(), "script": "true" });
        job.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        job
    }

    /// Makes a job and waits until it has run to its end, whichever it is.
    pub async fn run(&self, script: &str) -> JobDetail {
        let id = self.submit(script).await;
        self.finished(id).await
    }

    pub async fn run_with(&self, fields: Value) -> JobDetail {
        let id = self.submit_with(fields).await;
        self.finished(id).await
    }

    pub async fn job(&self, id: JobId) -> JobDetail {
        serde_json::from_value(self.get_json(&format!("/api/jobs/{id}")).await).unwrap()
    }

    pub async fn attempts(&self, id: JobId) -> Vec<Attempt> {
        serde_json::from_value(self.get_json(&format!("/api/jobs/{id}/attempts")).await).unwrap()
    }

    pub async fn finished(&self, id: JobId) -> JobDetail {
        eventually("the job has ended", async || {
            let detail = self.job(id).await;
            detail.job.state.is_finished().then_some(detail)
        })
        .await
    }

    /// Waits until the job is in this state; one that has ended in another fails the test.
    pub async fn wait_until(&self, id: JobId, state: JobState) -> Job {
        eventually(&format!("the job is {state}"), async || {
            let response = self.get(&format!("/api/jobs/{id}")).await;
            // Away for a moment, as the server says itself.
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                return None;
            }
            let job = response.json::<JobDetail>().await.unwrap().job;
            if job.state != state && job.state.is_finished() {
                let output = self.output(id).await;
                panic!("the job has ended as {}: {:?}\n{output:#?}", job.state, job.error);
            }
            (job.state == state).then_some(job)
        })
        .await
    }

    /// Waits until the job's latest attempt has printed this line.
    pub async fn wait_for_line(&self, id: JobId, text: &str) {
        until(&format!("the job prints `{text}`"), async || {
            let job = self.job(id).await.job;
            assert!(!job.state.is_finished(), "the job has ended as {}: {:?}", job.state, job.error);
            self.output(id).await.iter().any(|line| line.line == text)
        })
        .await;
    }

    pub async fn cancel(&self, id: JobId) -> Response {
        self.post(&format!("/api/jobs/{id}/cancel")).await
    }

    pub async fn retry(&self, id: JobId) -> Response {
        self.post(&format!("/api/jobs/{id}/retry")).await
    }

    // Output

    /// All lines of the latest attempt, page by page.
    pub async fn output(&self, id: JobId) -> Vec<Line> {
        let attempt = self.job(id).await.job.attempt;
        self.output_of(id, attempt).await
    }

    pub async fn output_of(&self, id: JobId, attempt: u32) -> Vec<Line> {
        let (mut lines, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/api/jobs/{id}/output?attempt={attempt}&after={after}&limit=5000");
            let page: OutputPage = serde_json::from_value(self.get_json(&path).await).unwrap();
            lines.extend(page.lines);
            match page.next {
                Some(next) => after = next,
                None => return lines,
            }
        }
    }

    /// What the latest attempt's script printed on standard output.
    pub async fn stdout(&self, id: JobId) -> Vec<String> {
        let lines = self.output(id).await;
        texts(&lines, Stream::Stdout).into_iter().map(str::to_owned).collect()
    }

    pub async fn output_text(&self, id: JobId) -> bytes::Bytes {
        let response = self.get(&format!("/api/jobs/{id}/output.txt")).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.bytes().await.unwrap()
    }

    /// Watches a job.
    pub async fn stream(&self, id: JobId) -> EventStream {
        self.stream_with(id, "").await
    }

    /// With a query, such as `?batch=1`.
    pub async fn stream_with(&self, id: JobId, query: &str) -> EventStream {
        self.open(self.request(Method::GET, &format!("/api/jobs/{id}/stream{query}"))).await
    }

    pub async fn board_stream(&self, token: &SecretString) -> EventStream {
        self.open(self.http.get(self.url("/api/jobs/stream")).bearer_auth(token.expose_secret())).await
    }

    pub async fn open(&self, request: RequestBuilder) -> EventStream {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        EventStream::new(response)
    }
}
