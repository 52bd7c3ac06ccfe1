//! `millrace doctor`: looks at everything that Millrace needs, and says how to mend what is not right.

use std::{path::Path, process::ExitCode};

use app::model::{AgentStatus, Protection};
use secrecy::ExposeSecret;

use super::connect;
use crate::{
    config::Config,
    db,
    queue::Queue,
    runner::{agents, sandbox::Sandbox},
};

/// What was found of one thing.
type Finding = Result<String, String>;

pub(super) async fn doctor(config: Config) -> anyhow::Result<ExitCode> {
    // A wrong configuration has stopped the start with its own message.
    let findings = [
        ("configuration", Ok("every setting is understood".to_owned())),
        ("git", git()),
        ("Postgres", postgres(&config).await),
        ("Redis", redis(&config).await),
        ("sandbox", sandbox(&config).await),
        ("data directory", data_dir(&config.server.data_dir)),
    ];
    let mut healthy = true;
    for (name, finding) in findings {
        match finding {
            Ok(found) => println!("ok       {name}: {found}"),
            Err(problem) => {
                healthy = false;
                println!("problem  {name}: {problem}");
            }
        }
    }
    for agent in agents::survey(&config.agents).await {
        println!("{}", describe(&agent));
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// No agent is a must, so none that is missing is a problem.
fn describe(agent: &AgentStatus) -> String {
    let AgentStatus { name, title, .. } = agent;
    let (word, found) = if !agent.installed {
        let install =
            agent.install.as_deref().map_or(String::new(), |install| format!(". Install it with: {install}"));
        ("absent", format!("not installed{install}"))
    } else {
        let version = agent.version.as_deref().unwrap_or("installed");
        let wanted = &agent.wanted_credentials;
        match agent.credentials.as_slice() {
            [] if wanted.is_empty() => ("ok", version.to_owned()),
            [] => ("no key", format!("{version}; set one of {} for the runner", wanted.join(", "))),
            set => ("ok", format!("{version}; {} is set", set.join(", "))),
        }
    };
    format!("{word:8} agent {name} ({title}): {found}")
}

fn git() -> Finding {
    let path = millrace_stack::programs::on_path("git")
        .ok_or("not installed. Install it, e.g. with: apt-get install git")?;
    millrace_stack::programs::version(&path).map_err(|error| error.to_string())
}

/// Starts one.
async fn sandbox(config: &Config) -> Finding {
    let millrace = std::env::current_exe().map_err(|error| error.to_string())?;
    let sandbox = Sandbox::detect(&config.sandbox, &config.server.data_dir, &millrace).await;
    match sandbox.warning() {
        None => Ok(format!("agents run in bubblewrap; {}", sandbox.enforcement().unwrap_or_default())),
        // The operator has said that this is right.
        Some(warning) if sandbox.protection() == Protection::None => Ok(warning),
        Some(warning) => Err(warning),
    }
}

/// The configured database, the one that `up` runs, or else the programs with which `up` would start one.
async fn postgres(config: &Config) -> Finding {
    match connect::database(config) {
        Ok(database) => {
            let pool =
                db::connect(&database).await.map_err(|error| format!("{error:#}. Check DATABASE_URL"))?;
            db::ping(&pool).await.map_err(|error| format!("does not answer: {error}"))?;
            Ok("the database answers".to_owned())
        }
        Err(_) => {
            let installed = millrace_stack::programs::postgres().map_err(|error| error.to_string())?;
            Ok(format!("version {} is installed; `millrace up` starts it", installed.major))
        }
    }
}

async fn redis(config: &Config) -> Finding {
    match connect::redis(config) {
        Ok(redis) => {
            let queue =
                Queue::connect(&redis).await.map_err(|error| format!("{error:#}. Check REDIS_URL"))?;
            queue.ping().await.map_err(|error| format!("does not answer: {error}"))?;
            Ok("it answers".to_owned())
        }
        Err(error) if !config.redis.url.expose_secret().is_empty() => Err(format!("{error:#}")),
        Err(_) => {
            let installed = millrace_stack::programs::redis().map_err(|error| error.to_string())?;
            let version = millrace_stack::programs::version(&installed).map_err(|error| error.to_string())?;
            Ok(format!("{version}; `millrace up` starts it"))
        }
    }
}

fn data_dir(directory: &Path) -> Finding {
    let existing = directory.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let writable = rustix::fs::access(existing, rustix::fs::Access::WRITE_OK);
    let shown = directory.display();
    match writable {
        Ok(()) => Ok(format!("{shown} can be written")),
        Err(error) => Err(format!("{shown} cannot be written ({error}). Choose another with --data-dir")),
    }
}
