//! The application under test. Programs of it are in `programs`, and what is asked of it in `requests`.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use app::model::{Person, Role};
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
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Gate, Repo, Stack, stack::Database, wait::LIMIT};

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
    pub(super) address: SocketAddr,
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

    // Runners

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

    pub(super) fn settings_and(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
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
