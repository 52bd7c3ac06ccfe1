//! `millrace up`: everything on one machine, with one command and one Ctrl-C.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use app::model::Kind;
use millrace_stack::{Durability, Postgres, PostgresOptions, Redis, RedisOptions};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{block_on, local_access::Granted, stop_on_signal, supervise::Part, token};
use crate::{
    config::{Config, DatabaseConfig, LocalRepositories, SandboxMode},
    db,
    runner::{Shutdown, sandbox::Sandbox},
};

/// How long a part that has nothing to wait for may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How long the server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// `file` is where `config` was read from.
pub(super) fn up(config: &Config, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let file = file.map(std::path::absolute).transpose()?;
    let data_dir = std::path::absolute(&config.server.data_dir)?;
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("{} cannot be made; choose another with --data-dir", data_dir.display()))?;
    check_port(config.server.listen)?;
    // The stack is synchronous and outlives the runtime: it is stopped last, when everybody who uses it is gone.
    let stack = Stack::start(config, &data_dir)?;
    let environment = environment(config, file.as_deref(), &data_dir, &stack);
    let code = block_on(run(config, &data_dir, &stack, &environment));
    stack.stop()?;
    code
}

/// Postgres and Redis: our own where the settings name no others.
struct Stack {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    database_url: SecretString,
    redis_url: SecretString,
}

impl Stack {
    fn start(config: &Config, data_dir: &Path) -> anyhow::Result<Self> {
        let (given_database, given_redis) = (&config.database.url, &config.redis.url);
        let postgres = if given_database.expose_secret().is_empty() {
            let options =
                PostgresOptions { data_dir: data_dir.join("postgres"), durability: Durability::Durable };
            let postgres = step("Starting Postgres", || Ok(Postgres::start(&options)?))?;
            if let Some(directory) = postgres.moved_to() {
                println!("  Its files are in {}, which its user can reach", directory.display());
            }
            Some(postgres)
        } else {
            None
        };
        let redis = if given_redis.expose_secret().is_empty() {
            let options = RedisOptions { data_dir: data_dir.join("redis"), durability: Durability::Durable };
            Some(step("Starting Redis", || Ok(Redis::start(&options)?))?)
        } else {
            None
        };
        let database_url = postgres.as_ref().map_or(given_database.clone(), |own| own.url().into());
        let redis_url = redis.as_ref().map_or(given_redis.clone(), |own| own.url().into());
        Ok(Self { postgres, redis, database_url, redis_url })
    }

    fn stop(self) -> anyhow::Result<()> {
        if let Some(redis) = self.redis {
            step("Stopping Redis", || Ok(redis.stop()?))?;
        }
        if let Some(postgres) = self.postgres {
            step("Stopping Postgres", || Ok(postgres.stop()?))?;
        }
        Ok(())
    }
}

async fn run(
    config: &Config,
    data_dir: &Path,
    stack: &Stack,
    environment: &[(&'static str, String)],
) -> anyhow::Result<ExitCode> {
    let Shutdown { stop, hurry } = stop_on_signal()?;
    let database = DatabaseConfig { url: stack.database_url.clone(), ..config.database.clone() };
    let db = db::connect(&database).await?;
    db::migrate(&db).await?;

    if let Some(warning) = sandbox_warning(config, data_dir).await? {
        println!("\nSandbox: {warning}\n");
    }

    // The runner stops before the server, so that people see their jobs go back to the queue.
    let (stop_runner, stop_server) = (CancellationToken::new(), CancellationToken::new());
    let (servers, runners) = (TaskTracker::new(), TaskTracker::new());
    let part = |name, subcommand| Part {
        name,
        subcommand,
        environment: environment.to_vec(),
        log: data_dir.join("logs").join(format!("{name}.log")),
        // Beyond the grace for jobs, a runner may take some time to end them.
        stop_limit: config.runner.grace + config.runner.kill_after + STOP_LIMIT,
    };
    let server = part("server", "serve");
    let server_log = server.log.clone();
    let began = Instant::now();
    let access = Granted::grant(&db, data_dir, format!("http://{}", config.server.local_address())).await?;
    let mut serving = servers.spawn(server.keep(stop_server.clone(), hurry.clone()));
    let mut running = runners.spawn(part("runner", "run").keep(stop_runner.clone(), hurry));
    tokio::select! {
        ready = answers(config.server.local_address()) => {
            ready.with_context(|| format!("the server does not answer; its log is {}", server_log.display()))?;
            finished("Starting the server and a runner", began);
            let link = token::sign_in_link(&db, config).await?;
            println!("\nMillrace is at {}", config.server.public_address());
            if config.server.public_url.is_none() && config.server.listen.ip().is_unspecified() {
                println!("Others reach it too. Set `server.public_url` to the address that they use: links lead there.");
            }
            println!("Sign in once with this link:\n\n  {}\n", link.expose_secret());
            println!("Ctrl-C stops everything; the data stays in {}", data_dir.display());
        }
        () = stop.cancelled() => {}
        ended = &mut serving => ended??,
        ended = &mut running => ended??,
    }

    tokio::select! {
        () = stop.cancelled() => {}
        ended = serving => ended??,
        ended = running => ended??,
    }
    println!("\nJobs that run get {} s to end. Ctrl-C again hurries them.", config.runner.grace.as_secs());
    let began = Instant::now();
    stop_runner.cancel();
    runners.close();
    runners.wait().await;
    finished("Stopping the runner", began);
    let began = Instant::now();
    stop_server.cancel();
    servers.close();
    servers.wait().await;
    finished("Stopping the server", began);
    access.take_back(&db).await?;
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The first agent's job would say the same, but nobody has asked for one yet.
async fn sandbox_warning(config: &Config, data_dir: &Path) -> anyhow::Result<Option<String>> {
    if !config.runner.lanes.contains(&Kind::Agent) || config.sandbox.mode == SandboxMode::Off {
        return Ok(None);
    }
    let millrace = std::env::current_exe()?;
    Ok(Sandbox::detect(&config.sandbox, data_dir, &millrace).await.warning())
}

/// What server and runner are told: the settings of this process, whichever file or option they came from.
fn environment(
    config: &Config,
    file: Option<&Path>,
    data_dir: &Path,
    stack: &Stack,
) -> Vec<(&'static str, String)> {
    let local_repositories = match config.runner.local_repositories {
        LocalRepositories::Auto | LocalRepositories::Allow => "allow",
        LocalRepositories::Refuse => "refuse",
    };
    let file = file.map(|file| ("MILLRACE_CONFIG", file.to_string_lossy().into_owned()));
    let metrics = config.runner.metrics_listen.or_else(|| free_beside(config.server.listen));
    let metrics = metrics.map(|address| ("MILLRACE_RUNNER__METRICS_LISTEN", address.to_string()));
    let own = [
        ("MILLRACE_SERVER__LISTEN", config.server.listen.to_string()),
        ("MILLRACE_SERVER__DATA_DIR", data_dir.to_string_lossy().into_owned()),
        ("MILLRACE_DATABASE__URL", stack.database_url.expose_secret().to_owned()),
        ("MILLRACE_REDIS__URL", stack.redis_url.expose_secret().to_owned()),
        ("MILLRACE_RUNNER__LOCAL_REPOSITORIES", local_repositories.to_owned()),
    ];
    file.into_iter().chain(metrics).chain(own).collect()
}

/// Where the runner tells its metrics: on this machine alone, at the port after the server's, unless somebody has that.
fn free_beside(server: SocketAddr) -> Option<SocketAddr> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port().checked_add(1)?));
    TcpListener::bind(address).is_ok().then_some(address)
}

fn check_port(listen: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) => bail!("{listen} cannot be listened on ({error}). Choose another address with --listen"),
    }
}

/// Waits until something accepts connections there.
async fn answers(address: SocketAddr) -> anyhow::Result<()> {
    let began = Instant::now();
    while let Err(error) = tokio::net::TcpStream::connect(address).await {
        if began.elapsed() > START_LIMIT {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Does something and says how long it took.
fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    let done = work()?;
    finished(what, began);
    Ok(done)
}

fn finished(what: &str, began: Instant) {
    println!("{what:<34} {:>5.1} s", began.elapsed().as_secs_f64());
}
