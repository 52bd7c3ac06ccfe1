//! Jobs of kind `command`: a script in a fresh checkout.

use std::os::unix::fs::PermissionsExt;

use app::model::Job;
use tokio::process::Command;

use super::{
    RunningAttempt,
    executor::Grounds,
    kin::Cookie,
    process::{self, Exit, Input, Limits},
    workspace::Workspace,
};
use crate::{
    config::Config,
    db::{self, transitions::Outcome},
    output::Mask,
};

/// Shells that run a script without a `#!` line; the first one that is there. `-e`: a command that fails ends the script.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

pub(super) async fn run(
    grounds: &Grounds,
    attempt: &RunningAttempt,
    workspace: &Workspace,
) -> anyhow::Result<Outcome> {
    let job = &attempt.job;
    let request = attempt.patiently(|| db::with_request(attempt.lifecycle.db(), job.id)).await?;
    let Some(script) = request.and_then(|(script, _)| script) else {
        return Ok(Outcome::failed("The job has no script.").and_never_again());
    };
    if let Err(outcome) = grounds.check_out(attempt, workspace, &[job.git_ref.as_deref()]).await? {
        return Ok(outcome);
    }
    attempt.stage("command").await;
    let mut command = command(&grounds.config, job, &script, workspace).await?;
    let limits = Limits {
        kill_after: grounds.config.runner.kill_after,
        line_bytes: grounds.config.output.line_bytes,
        mask: Mask::new(&grounds.secrets),
        cookie: Some(Cookie::of_attempt(&attempt.runner, job.id, job.attempt)),
    };
    let exit = match process::run(&mut command, Input::Nothing, &attempt.output, &attempt.stop, &limits).await
    {
        Ok(exit) => exit,
        Err(error) => return Ok(Outcome::failed(format!("The script could not be started: {error}."))),
    };
    Ok(verdict(exit))
}

/// The script as a file, and the command that runs it: by its own `#!` line or by a shell.
async fn command(config: &Config, job: &Job, script: &str, workspace: &Workspace) -> anyhow::Result<Command> {
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
    for name in &config.runner.environment {
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
