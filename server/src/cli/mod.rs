//! The command line.

mod client;
mod connect;
mod demo_agent;
mod doctor;
mod local_access;
mod logging;
mod run;
mod serve;
mod supervise;
mod token;
mod up;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use app::model::Kind;
use clap::{Args, Parser, Subcommand};

use crate::{
    config::{self, Config, Overrides},
    runner::{
        Shutdown,
        kin::{self, Guard},
        sandbox::inside::{self, Inside},
    },
    tls,
};

/// A self-hosted factory for coding agents.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

/// Where the settings come from. `Leptos.toml` lists them all.
#[derive(Args, Clone)]
struct Settings {
    /// The configuration file [default: Leptos.toml in the data directory, then in the current directory]
    #[arg(long, global = true, value_name = "FILE", env = "MILLRACE_CONFIG")]
    config: Option<PathBuf>,
    /// Where Millrace keeps its data
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Server(ServerCommand),
    #[command(flatten)]
    Client(client::ClientCommand),
    /// Be the first process of a sandbox
    #[command(hide = true)]
    Inside(Inside),
    /// End what a runner has started when the runner is gone
    #[command(hide = true)]
    Guard(Guard),
}

/// What runs, or looks after, the parts of Millrace on this machine.
#[derive(Subcommand)]
enum ServerCommand {
    /// Run everything on this machine: Postgres, Redis, server and runner
    Up {
        /// Address and port of the dashboard
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Run the server alone
    Serve {
        /// Address and port of the dashboard
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Run a runner alone, also on another machine
    Run {
        /// Kinds of jobs to take
        #[arg(long, value_delimiter = ',', value_name = "KIND,…")]
        lanes: Option<Vec<Kind>>,
        /// How many attempts to execute at once
        #[arg(long)]
        slots: Option<u32>,
        /// How the dashboard calls this runner
        #[arg(long)]
        name: Option<String>,
    },
    /// Bring the database schema up to date
    Migrate,
    /// API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print a new link that signs the owner in once
    SignInLink,
    /// Check everything that Millrace needs, and say how to mend it
    Doctor,
    /// Do a small true change to the repository of the current directory, as the agent `demo`
    #[command(hide = true)]
    DemoAgent,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make a token and print it; it is not shown again
    Create {
        /// What the token is for
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

/// Runs the program and says on standard error why it failed.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tls::install();
    match execute(arguments) {
        Ok(code) => code,
        // Whoever read our output has seen enough, e.g. `head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn execute(Arguments { settings, command }: Arguments) -> anyhow::Result<ExitCode> {
    match command {
        Command::Server(command) => run_server(command, &settings),
        Command::Client(command) => block_on(client::run(command, settings)),
        Command::Inside(inside) => inside::run(inside),
        Command::Guard(guard) => kin::guard(guard),
    }
}

fn run_server(command: ServerCommand, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut overrides = Overrides::default();
    match &command {
        ServerCommand::Up { listen } | ServerCommand::Serve { listen } => {
            if let Some(listen) = listen {
                overrides.set("server", "listen", listen.to_string());
            }
        }
        ServerCommand::Run { lanes, slots, name } => {
            if let Some(lanes) = lanes {
                let lanes: Vec<&str> = lanes.iter().map(|kind| kind.as_str()).collect();
                overrides.set("runner", "lanes", lanes);
            }
            if let Some(slots) = slots {
                overrides.set("runner", "slots", i64::from(*slots));
            }
            if let Some(name) = name {
                overrides.set("runner", "name", name.clone());
            }
        }
        _ => {}
    }
    if matches!(command, ServerCommand::DemoAgent) {
        return demo_agent::run();
    }
    let config = settings.load(overrides)?;
    match command {
        ServerCommand::Up { .. } => up::up(&config, settings.file().as_deref()),
        ServerCommand::Serve { .. } => block_on(serve::serve(config)),
        ServerCommand::Run { .. } => block_on(run::run(config)),
        ServerCommand::Migrate => block_on(connect::migrate(config)),
        ServerCommand::Token(TokenCommand::Create { name }) => block_on(token::create(config, name)),
        ServerCommand::SignInLink => block_on(token::print_sign_in_link(config)),
        ServerCommand::Doctor => block_on(doctor::doctor(config)),
        // Above: it knows no settings.
        ServerCommand::DemoAgent => demo_agent::run(),
    }
}

impl Settings {
    fn load(&self, mut overrides: Overrides) -> anyhow::Result<Config> {
        if let Some(data_dir) = &self.data_dir {
            let data_dir =
                std::path::absolute(data_dir).context("the data directory has no absolute path")?;
            overrides.set("server", "data_dir", data_dir.to_string_lossy().into_owned());
        }
        let file = self.file();
        Ok(config::load(file.as_deref(), std::env::vars(), &overrides)?)
    }

    /// The named file, or the first of the usual ones that exists.
    fn file(&self) -> Option<PathBuf> {
        const NAME: &str = "Leptos.toml";
        if self.config.is_some() {
            return self.config.clone();
        }
        let in_data_dir = self.data_dir.iter().map(|directory| directory.join(NAME));
        in_data_dir.chain([Path::new(NAME).to_owned()]).find(|file| file.is_file())
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// A first Ctrl-C or TERM stops, a second one hurries.
fn stop_on_signal() -> anyhow::Result<Shutdown> {
    use tokio::signal::unix::{SignalKind, signal};
    let shutdown = Shutdown::default();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let Shutdown { stop, hurry } = shutdown.clone();
    tokio::spawn(async move {
        for token in [stop, hurry] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            token.cancel();
        }
    });
    Ok(shutdown)
}
