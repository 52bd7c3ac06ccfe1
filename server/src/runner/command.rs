//! Jobs of kind `command`: a script in a fresh checkout.

use std::{os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use app::model::Job;
use async_trait::async_trait;
use tokio::process::Command;

use super::{
    Execute, RunningAttempt,
    checkout::checkout,
    process::{self, Exit, Input, Limits},
    workspace::{Workspace, Workspaces},
};
use crate::{
    config::Config,
    db::{self, transitions::Outcome},
};

/// Shells that run a script without a `#!` line; the first one that is there. `-e`: a command that fails ends the script.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

pub struct CommandExecutor {
    config: Arc<Config>,
    workspaces: Workspaces,
    mirrors: PathBuf,
}

impl CommandExecutor {
    /// Uses `server.data_dir` for mirrors and checkouts. `runner` tells this runner's directory from others'.
    pub fn new(config: Arc<Config>, runner: &str) -> anyhow::Result<Self> {
        let data_dir = std::path::absolute(&config.server.data_dir)?;
        let workspaces = Workspaces::open(&data_dir, runner)?;
        Ok(Self { config, workspaces, mirrors: data_dir.join("mirrors") })
    }

    async fn run(&self, attempt: &RunningAttempt, workspace: &Workspace) -> anyhow::Result<Outcome> {
        let job = &attempt.job;
        let Some(script) =
            db::with_request(attempt.lifecycle.db(), job.id).await?.and_then(|request| request.0)
        else {
            return Ok(Outcome::failed("The job has no script.").and_never_again());
        };
        attempt.stage("checkout").await;
        attempt.output.system(format!("Fetching {}", job.repository)).await;
        let target = workspace.checkout();
        let fetched = tokio::select! {
            fetched = checkout(&self.mirrors, &job.repository, job.git_ref.as_deref(), &target) => fetched,
            // Dropping the fetch ends its git.
            _ = attempt.stop.requested() => return Ok(Outcome::failed("stopped")),
        };
        let commit = match fetched {
            Ok(commit) => commit,
            Err(error) if error.is_lasting() => {
                return Ok(Outcome::failed(error.to_string()).and_never_again());
            }
            Err(error) => return Ok(Outcome::failed(error.to_string())),
        };
        attempt
            .output
            .system(format!(
                "Checked out {} at {}",
                job.git_ref.as_deref().unwrap_or("the default branch"),
                &commit[..12]
            ))
            .await;
        db::attempts::set_commit(attempt.lifecycle.db(), job.id, job.attempt, &commit).await?;

        attempt.stage("command").await;
        let mut command = self.command(job, &script, workspace).await?;
        let limits = Limits {
            kill_after: self.config.runner.kill_after,
            line_bytes: self.config.output.line_bytes,
            mask: None,
        };
        let exit = match process::run(&mut command, Input::Nothing, &attempt.output, &attempt.stop, &limits).await {
            Ok(exit) => exit,
            Err(error) => return Ok(Outcome::failed(format!("The script could not be started: {error}."))),
        };
        Ok(verdict(exit))
    }

    /// The script as a file, and the command that runs it: by its own `#!` line or by a shell.
    async fn command(&self, job: &Job, script: &str, workspace: &Workspace) -> anyhow::Result<Command> {
        let file = workspace.script();
        tokio::fs::write(&file, script).await?;
        tokio::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).await?;
        let mut command = if script.starts_with("#!") {
            Command::new(&file)
        } else {
            let shell = SHELLS.into_iter().find(|shell| std::path::Path::new(shell).exists()).unwrap_or("sh");
            let mut command = Command::new(shell);
            command.arg("-e").arg(&file);
            command
        };
        command.current_dir(workspace.checkout()).env_clear();
        for name in &self.config.runner.environment {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("CI", "true")
            .env("MILLRACE", "true")
            .env("MILLRACE_JOB", job.id.to_string())
            .env("MILLRACE_ATTEMPT", job.attempt.to_string())
            .env("TMPDIR", workspace.tmp());
        Ok(command)
    }
}

#[async_trait]
impl Execute for CommandExecutor {
    async fn execute(&self, attempt: &RunningAttempt) -> Outcome {
        let outcome = match self.workspaces.create(attempt.job.id, attempt.job.attempt) {
            Ok(workspace) => {
                let outcome = self.run(attempt, &workspace).await;
                workspace.remove().await;
                outcome
            }
            Err(error) => Err(anyhow::Error::new(error).context("the runner's disk")),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!(job.id = %attempt.job.id, error = format!("{error:#}"), "the attempt could not be run");
            Outcome::failed(format!("Millrace could not run the attempt: {error:#}."))
        });
        if attempt.stop.reason().is_none() {
            attempt.output.system(last_words(&outcome)).await;
        } else {
            attempt.output.system("Stopped.").await;
        }
        outcome
    }
}

fn verdict(exit: Exit) -> Outcome {
    match exit {
        Exit::Code(0) => Outcome::succeeded(Some(0)),
        Exit::Code(code) => {
            Outcome::failed(format!("The script ended with exit code {code}.")).with_exit_code(code)
        }
        // The shells' way to put a signal into a number.
        Exit::Signal(signal) => {
            Outcome::failed(format!("The script was ended by signal {signal}.")).with_exit_code(128 + signal)
        }
        Exit::Stopped => Outcome::failed("The script was stopped."),
    }
}

fn last_words(outcome: &Outcome) -> String {
    match (&outcome.error, outcome.exit_code) {
        (Some(error), _) => error.clone(),
        (None, Some(code)) => format!("Finished with exit code {code}."),
        (None, None) => "Finished.".to_owned(),
    }
}
