//! The application under test.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use app::model::{Attempt, Job, JobDetail, JobId, JobState, Line, OutputPage, Person, Role, Stream};
use chrono::{TimeDelta, Utc};
use millrace::{
    answers::Answers,
    backend::Server,
    config::{self, Config, CustomAgentConfig, Overrides},
    connection::Connection,
    db::{self, people},
    http,
    lifecycle::{self, Lifecycle},
    queue::Queue,
    runner::{Executor, Runner, Shutdown, unique_name},
    secret, tls,
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    EventStream, Gate, Process, Proxy, Repo, Said, Stack, millrace,
    stack::Database,
    texts,
    wait::{LIMIT, eventually, until},
};

/// What tests set differently from the shipped file.
const SETTINGS: [(&str, &str); 8] = [
    ("MILLRACE_SERVER__LISTEN", "127.0.0.1:0"),
    ("MILLRACE_DATABASE__MAX_CONNECTIONS", "6"),
    ("MILLRACE_RUNNER__LOCAL_REPOSITORIES", "allow"),
    ("MILLRACE_RUNNER__KILL_AFTER_SECONDS", "1"),
    ("MILLRACE_RUNNER__GRACE_SECONDS", "0"),
    ("MILLRACE_QUEUE__RATE_PER_MINUTE", "0"),
    ("MILLRACE_QUEUE__MAX_ATTEMPTS", "1"),
    // Tests ask again and again.
    ("MILLRACE_LIMITS__REQUESTS_PER_MINUTE", "0"),
];

/// A server with its reconciler in this process, and no runner until the test asks for one.
pub struct App {
    pub config: Arc<Config>,
    pub lifecycle: Lifecycle,
    pub connection: Connection,
    /// A repository that jobs can use; `submit` does.
    pub repo: Repo,
    pub http: Client,
    /// The owner's API token.
    pub token: SecretString,
    address: SocketAddr,
    settings: Vec<(String, String)>,
    change: Box<dyn Fn(&mut Config) + Send + Sync>,
    stop: CancellationToken,
    directory: TempDir,
    // Last, because whoever uses it goes before.
    _database: Database,
}

impl App {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings by the names of their environment variables.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_config(settings, |_| {}).await
    }

    /// With an agent `mine` that is a shell script, and with settings that have no variable.
    pub async fn with_agent(script: &str, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let script = format!("#!/bin/sh\n{script}\n");
        let directory = tempfile::Builder::new().prefix("millrace-agent-").tempdir().unwrap();
        let program = directory.path().join("agent");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self::with_config(&[], move |config| {
            // The script goes with the settings that name it.
            let program = directory.path().join("agent").display().to_string();
            let command = vec![program].try_into().unwrap();
            let mine = CustomAgentConfig { command, environment: Vec::new(), hosts: Vec::new() };
            config.agents.custom.insert("mine".to_owned(), mine);
            change(config);
        })
        .await
    }

    async fn with_config(
        settings: &[(&str, &str)],
        change: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> Self {
        log_if_wanted();
        tls::install();
        let stack = Stack::get();
        let directory = tempfile::Builder::new().prefix("millrace-test-").tempdir().unwrap();
        let repo = Repo::new(directory.path().join("repo"));
        let prefix = directory
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace(|c: char| !c.is_alphanumeric(), "");
        let database = stack.database(&prefix).await;
        let data_dir = directory.path().join("data");
        let own = [
            ("MILLRACE_DATABASE__URL", database.url.as_str()),
            ("MILLRACE_REDIS__URL", stack.redis_url()),
            ("MILLRACE_REDIS__PREFIX", &prefix),
            ("MILLRACE_SERVER__DATA_DIR", data_dir.to_str().unwrap()),
        ];
        // Of two settings with the same name the later counts.
        let settings: Vec<(String, String)> = SETTINGS
            .iter()
            .chain(&own)
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = load(&settings);
        config.server.listen = address;
        change(&mut config);
        let config = Arc::new(config);

        let lifecycle = connect(&config).await;
        let stop = CancellationToken::new();
        tokio::spawn(lifecycle::reconcile(lifecycle.clone(), Arc::clone(&config), stop.clone()));
        let connection = Connection::new(&config, lifecycle.db().clone(), lifecycle.queue()).unwrap();
        let server = Server::new(Arc::clone(&config), lifecycle.clone(), connection.clone());
        tokio::spawn(http::serve(server, listener, stop.clone()));
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // For everything but streams, which set a limit for each event.
            .read_timeout(LIMIT)
            .build()
            .unwrap();
        let token = add_token(lifecycle.db(), "owner", Role::Owner).await;
        let change = Box::new(change);
        Self {
            config,
            lifecycle,
            connection,
            repo,
            http,
            token,
            address,
            settings,
            change,
            stop,
            directory,
            _database: database,
        }
    }

    pub fn db(&self) -> &PgPool {
        self.lifecycle.db()
    }

    pub fn queue(&self) -> &Queue {
        self.lifecycle.queue()
    }

    /// A directory that goes with the test.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn gate(&self, name: &str) -> Gate {
        Gate::new(self.directory.path(), name)
    }

    /// Keeps everybody from fetching until it is dropped. A job must have fetched `repo` before.
    pub fn hold_mirror(&self) -> std::fs::File {
        let mirrors = std::fs::read_dir(self.directory.path().join("data/mirrors")).unwrap();
        let lock = mirrors.map(|entry| entry.unwrap().path());
        let lock = lock.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "lock"));
        let lock = std::fs::File::open(lock.unwrap()).unwrap();
        lock.lock().unwrap();
        lock
    }

    /// Makes Postgres refuse what this trigger's `WHEN` names, with an error of this class, until it is dropped.
    pub async fn refuse(&self, trigger: &str, code: &str) {
        let sql = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'refused for a test' USING ERRCODE = '{code}'; END $$;
             CREATE TRIGGER refuse BEFORE {trigger} EXECUTE FUNCTION refuse()"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(self.db()).await.unwrap();
    }

    /// Lets Postgres take everything again.
    pub async fn refuse_no_more(&self) {
        sqlx::raw_sql("DROP FUNCTION refuse CASCADE").execute(self.db()).await.unwrap();
    }

    /// Another repository, empty.
    pub fn empty_repo(&self, name: &str) -> Repo {
        Repo::empty(self.directory.path().join(name))
    }

    // Runners and processes

    /// Starts a runner in this process.
    pub async fn runner(&self) -> TestRunner {
        self.runner_with(&[]).await
    }

    /// With settings of its own, by the names of their environment variables.
    pub async fn runner_with(&self, settings: &[(&str, &str)]) -> TestRunner {
        let mut config = load(&self.settings_and(settings));
        (self.change)(&mut config);
        let config = Arc::new(config);
        let name = unique_name("runner").unwrap();
        let executor = Arc::new(
            Executor::new(
                Arc::clone(&config),
                self.connection(),
                &name,
                Path::new(env!("CARGO_BIN_EXE_millrace")),
            )
            .await
            .unwrap(),
        );
        let stop = self.stop.child_token();
        let runner = Runner::new(name.clone(), connect(&config).await, config, executor);
        let shutdown = Shutdown { stop: stop.clone(), hurry: CancellationToken::new() };
        let task = tokio::spawn(runner.run(shutdown));
        TestRunner { name, stop, task }
    }

    /// A connection to GitHub of its own, as each process has one.
    pub fn connection(&self) -> Connection {
        Connection::new(&self.config, self.db().clone(), self.queue()).unwrap()
    }

    /// Starts to tell GitHub of jobs; ends at once when the task is aborted.
    pub fn answers(&self) -> JoinHandle<()> {
        let answers = Answers::new(self.connection(), self.lifecycle.clone(), Arc::clone(&self.config));
        tokio::spawn(answers.run(self.stop.child_token()))
    }

    /// Runs `millrace` to its end.
    pub async fn millrace(&self, arguments: &[&str]) -> Said {
        self.millrace_with(&[], arguments).await
    }

    pub async fn millrace_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Said {
        let command = millrace(self.path(), &self.settings_and(settings), arguments);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        tokio::time::timeout(LIMIT, output).await.expect("millrace does not end").unwrap().into()
    }

    /// Runs `millrace` as a client of this application, with the owner's token.
    pub async fn client(&self, arguments: &[&str]) -> Said {
        self.client_with(&[], arguments).await
    }

    pub async fn client_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
        let own = self.client_variables(&self.url(""));
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = own.chain(variables.iter().copied()).collect();
        self.millrace_with(&variables, arguments).await
    }

    /// Starts a client as a process that goes through `proxy`.
    pub fn client_process(&self, proxy: &Proxy, arguments: &[&str]) -> Process {
        let variables = self.client_variables(&proxy.url()).map(|(name, value)| (name.to_owned(), value));
        let command = millrace(self.path(), &variables, arguments);
        Process::start(command, self.path().join(format!("client-{}.log", uuid::Uuid::new_v4())))
    }

    fn client_variables(&self, url: &str) -> [(&'static str, String); 2] {
        [("MILLRACE_URL", url.to_owned()), ("MILLRACE_TOKEN", self.token.expose_secret().to_owned())]
    }

    /// A way to this application that can be cut.
    pub async fn proxy(&self) -> Proxy {
        Proxy::to(self.address).await
    }

    /// Starts `millrace up` on that port as a process, with this test's Postgres and Redis.
    pub fn up_process(&self, port: u16, data_dir: &Path) -> Process {
        self.up_process_with(&[], port, data_dir)
    }

    pub fn up_process_with(&self, settings: &[(&str, &str)], port: u16, data_dir: &Path) -> Process {
        let arguments =
            ["up", "--listen", &format!("127.0.0.1:{port}"), "--data-dir", data_dir.to_str().unwrap()];
        let command = millrace(self.path(), &self.settings_and(settings), &arguments);
        Process::start(command, self.path().join("up.log"))
    }

    /// Starts `millrace run` as a process.
    pub fn runner_process(&self, settings: &[(&str, &str)]) -> Process {
        let command = millrace(self.path(), &self.settings_and(settings), &["run"]);
        Process::start(command, self.path().join(format!("runner-{}.log", uuid::Uuid::new_v4())))
    }

    /// A port that nobody listens on.
    pub async fn free_port(&self) -> u16 {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }

    /// Starts `millrace serve` as a process and returns it when it answers, with its address.
    pub async fn server_process(&self, port: u16) -> (Process, SocketAddr) {
        self.server_process_with(port, &[]).await
    }

    pub async fn server_process_with(&self, port: u16, settings: &[(&str, &str)]) -> (Process, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let arguments = ["serve", "--listen", &address.to_string()];
        let command = millrace(self.path(), &self.settings_and(settings), &arguments);
        let mut process =
            Process::start(command, self.path().join(format!("server-{}.log", uuid::Uuid::new_v4())));
        until("the server answers", async || {
            assert!(process.is_running(), "the server ended: {}", process.log());
            self.http
                .get(format!("http://{address}/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        (process, address)
    }

    fn settings_and(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.settings.iter().cloned().chain(more).collect()
    }

    // People

    /// A token of the person with this login, who is made if needed.
    pub async fn token_of(&self, login: &str, role: Role) -> SecretString {
        add_token(self.db(), login, role).await
    }

    pub async fn person(&self, login: &str, role: Role) -> Person {
        people::find_or_create(self.db(), login, role).await.unwrap()
    }

    /// The secret of a fresh sign-in link for the owner with this login.
    pub async fn sign_in_token(&self, login: &str) -> String {
        self.sign_in_token_for(login, TimeDelta::hours(1)).await
    }

    /// With the time until it expires, which may lie in the past.
    pub async fn sign_in_token_for(&self, login: &str, life: TimeDelta) -> String {
        let token = secret::generate("").unwrap();
        let person = self.person(login, Role::Owner).await;
        people::add_sign_in_link(self.db(), person.id, &secret::hash(&token), Utc::now() + life)
            .await
            .unwrap();
        token.expose_secret().to_owned()
    }

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

    /// Removes everything that this test has in Redis in one step: what a Redis without persistence does when it
    /// starts again.
    pub async fn empty_redis(&self) {
        let script = redis::Script::new(
            "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end",
        );
        let pattern = format!("*{}*", self.config.redis.prefix);
        script.arg(pattern).invoke_async::<()>(&mut self.queue().connection()).await.unwrap();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A runner in this process; it stops with the test.
pub struct TestRunner {
    pub name: String,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl TestRunner {
    /// Asks it to stop and returns when it has given its jobs back.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.expect("the runner does not stop").unwrap().unwrap();
    }
}

fn load(settings: &[(String, String)]) -> Config {
    config::load(None, settings.iter().cloned(), &Overrides::default()).unwrap()
}

async fn connect(config: &Config) -> Lifecycle {
    let db = db::connect(&config.database).await.unwrap();
    Lifecycle::new(db, Queue::connect(&config.redis).await.unwrap(), config.queue.clone())
}

async fn add_token(db: &PgPool, login: &str, role: Role) -> SecretString {
    let token = secret::generate(secret::API_TOKEN_PREFIX).unwrap();
    let person = people::find_or_create(db, login, role).await.unwrap();
    people::add_token(db, person.id, "test", &secret::hash(&token)).await.unwrap();
    token
}

/// `MILLRACE_TEST_LOG=info` shows what the application says, e.g. to find out why a test fails.
fn log_if_wanted() {
    if let Ok(filter) = std::env::var("MILLRACE_TEST_LOG") {
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer();
        // Another test may have been first.
        let _ = lines.try_init();
    }
}
