//! What this runner does with an attempt: a fresh directory, a checkout in it, and then what the job's kind asks for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use app::model::Kind;
use async_trait::async_trait;
use secrecy::SecretString;

use super::{
    Access, Execute, RunningAttempt,
    agent_attempt::Agents,
    checkout::{CheckoutError, Source, checkout},
    command,
    git::Reach,
    kin::Guardian,
    secrets,
    workspace::{Workspace, Workspaces},
};
use crate::{
    config::Config,
    connection::{Connection, ConnectionError, Purpose},
    db::{self, answers::Fork, transitions::Outcome},
};

/// Runs jobs of every kind.
pub struct Executor {
    grounds: Grounds,
    agents: Agents,
    _guardian: Guardian,
}

impl Executor {
    /// Uses `server.data_dir` for mirrors and checkouts. `runner` tells this runner's directory from others', and `millrace`
    /// is the program's own file, which parts of the sandbox are.
    pub async fn new(
        config: Arc<Config>,
        connection: Connection,
        runner: &str,
        millrace: &Path,
    ) -> anyhow::Result<Self> {
        let data_dir = std::path::absolute(&config.server.data_dir)?;
        let workspaces = Workspaces::open(&data_dir, runner)?;
        let agents = Agents::new(&config, &data_dir, millrace).await?;
        let guardian = Guardian::start(millrace, runner)?;
        let mirrors = data_dir.join("mirrors");
        let secrets = secrets::known(&config, |name| std::env::var(name).ok());
        let grounds = Grounds { config, connection, workspaces, mirrors, secrets };
        Ok(Self { grounds, agents, _guardian: guardian })
    }

    async fn run(&self, attempt: &RunningAttempt, workspace: &Workspace) -> anyhow::Result<Outcome> {
        match attempt.job.kind {
            Kind::Command => command::run(&self.grounds, attempt, workspace).await,
            Kind::Agent => self.agents.run(&self.grounds, attempt, workspace).await,
        }
    }
}

#[async_trait]
impl Execute for Executor {
    async fn execute(&self, attempt: &RunningAttempt) -> Outcome {
        attempt.output.hide(&self.grounds.secrets);
        let outcome = match self.grounds.workspaces.create(attempt.job.id, attempt.job.attempt) {
            Ok(workspace) => {
                let outcome = self.run(attempt, &workspace).await;
                workspace.remove();
                outcome
            }
            Err(error) => Err(anyhow::Error::new(error).context("the runner's disk")),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!(job.id = %attempt.job.id, error = format!("{error:#}"), "the attempt could not be run");
            Outcome::failed(format!("Millrace could not run the attempt: {error:#}."))
        });
        let error = outcome.error.map(|error| attempt.output.masked(&error));
        let outcome = Outcome { error, ..outcome };
        if attempt.stop.reason().is_none() {
            attempt.output.system(last_words(&outcome)).await;
        } else {
            attempt.output.system("Stopped.").await;
        }
        outcome
    }
}

/// Where this runner works.
pub(super) struct Grounds {
    pub config: Arc<Config>,
    pub connection: Connection,
    pub workspaces: Workspaces,
    pub mirrors: PathBuf,
    /// What this runner knows that may be in no output.
    pub secrets: Vec<SecretString>,
}

impl Grounds {
    /// What lets git into the job's repository, where that is GitHub's business; it is masked in all that follows.
    pub async fn access(
        &self,
        attempt: &RunningAttempt,
        purpose: Purpose,
    ) -> Result<Option<Access>, ConnectionError> {
        let access = attempt.patiently(|| Access::find(&self.connection, &attempt.job, purpose)).await?;
        Ok(masked(attempt, access))
    }

    /// What lets git push to the branch of a fork.
    pub async fn access_to_fork(
        &self,
        attempt: &RunningAttempt,
        fork: &Fork,
    ) -> Result<Option<Access>, ConnectionError> {
        let access = attempt.patiently(|| Access::find_fork(&self.connection, &attempt.job, fork)).await?;
        Ok(masked(attempt, access))
    }

    /// Makes the attempt's checkout of the first of `refs` that is there, and returns what was checked out; or how the
    /// attempt ends without one.
    pub async fn check_out(
        &self,
        attempt: &RunningAttempt,
        workspace: &Workspace,
        refs: &[Option<&str>],
    ) -> anyhow::Result<Result<Source, Outcome>> {
        let job = &attempt.job;
        attempt.stage("checkout").await;
        attempt.output.system(format!("Fetching {}", job.repository)).await;
        let access = match self.access(attempt, Purpose::Fetch).await {
            Ok(access) => access,
            Err(error) => {
                let error = format!("The repository {} could not be fetched: {error}.", job.repository);
                return Ok(Err(Outcome::failed(error)));
            }
        };
        let reach = Reach { access: access.as_ref(), limit: self.config.runner.git_limit };
        let target = workspace.checkout();
        let most_bytes = self.config.sandbox.disk_bytes.get();
        let fetched = tokio::select! {
            fetched = checkout(&self.mirrors, &job.repository, reach, refs, &target, most_bytes) => fetched,
            // Dropping the fetch ends its git, with what that has started.
            _ = attempt.stop.requested() => return Ok(Err(Outcome::failed("stopped"))),
        };
        let source = match fetched {
            Ok(source) => source,
            Err(error) => return Ok(Err(refused(&error))),
        };
        let name = source.git_ref.as_deref().unwrap_or("the default branch");
        attempt.output.system(format!("Checked out {name} at {}", &source.commit[..12])).await;
        let db = attempt.lifecycle.db();
        attempt.patiently(|| db::attempts::set_commit(db, job.id, job.attempt, &source.commit)).await?;
        Ok(Ok(source))
    }
}

/// What lets git in is in nothing that the attempt prints from now on.
fn masked(attempt: &RunningAttempt, access: Option<Access>) -> Option<Access> {
    if let Some(access) = &access {
        attempt.output.hide(&access.secrets());
    }
    access
}

fn refused(error: &CheckoutError) -> Outcome {
    let outcome = Outcome::failed(error.to_string());
    if error.is_lasting() { outcome.and_never_again() } else { outcome }
}

fn last_words(outcome: &Outcome) -> String {
    match (&outcome.error, outcome.exit_code) {
        (Some(error), _) => error.clone(),
        (None, Some(code)) => format!("Finished with exit code {code}."),
        (None, None) => "Finished.".to_owned(),
    }
}
