//! From what lies in an agent's checkout to a branch and a diff.

use std::path::Path;

use app::model::AgentOutcome;

use super::{
    super::{
        agents::{Launch, Told},
        publish::{self, Collect, Collected, Destination, Message, Published, Secrets, Work, branch_name},
        sandbox::Confinement,
    },
    AgentAttempt,
};
use crate::{
    changes,
    config::Author,
    db::{self, output::Stored, transitions::Outcome},
    output::Mask,
};

/// What agents leave for themselves in a checkout.
const LEAVE_OUT: [&str; 1] = [".aider*"];

/// What an agent has made.
pub(super) enum Made {
    Nothing,
    Commits(Work),
}

impl AgentAttempt<'_> {
    /// Commits what is left, takes it out of the sandbox, and keeps its diff for the job's page. The error is for people.
    pub(super) async fn collect(&self, said: &Told, launch: &Launch) -> Result<Made, String> {
        self.attempt.stage("publish").await;
        let own = self.workspace.own();
        let bundle = own.join("bundle");
        let collected = self.commit(said, &bundle).await?;
        for note in collected.notes {
            self.attempt.output.system(note).await;
        }
        if !collected.changed {
            return Ok(Made::Nothing);
        }
        let (repository, base) = (own.join("result.git"), &self.source.commit);
        let received = Work::receive(&repository, &self.source.mirror, &bundle, base).await;
        let Some(work) = received.map_err(|error| error.to_string())? else { return Ok(Made::Nothing) };
        let patch = work.patch(&self.secrets(launch)).await.map_err(|error| error.to_string())?;
        let job = &self.attempt.job;
        let db = self.attempt.lifecycle.db();
        match changes::store(db, job.id, job.attempt, &self.attempt.runner, &patch).await {
            Ok(Stored::Yes) => {}
            Ok(Stored::NotHeld) => return Err("The attempt is no longer this runner's.".to_owned()),
            Err(error) => return Err(format!("The changes could not be kept: {error}.")),
        }
        self.note(|run| run.changes = Some(work.figures())).await;
        Ok(Made::Commits(work))
    }

    /// In the sandbox: the checkout's settings are the agent's.
    async fn commit(&self, said: &Told, bundle: &Path) -> Result<Collected, String> {
        let job = &self.attempt.job;
        let link = format!("{}/jobs/{}", self.config.server.public_address(), job.id);
        let co_author = Author {
            name: self.profile.title.clone(),
            email: format!("{}@millrace.localhost", self.profile.name),
        };
        let message = Message {
            subject: &job.title,
            summary: said.summary.as_deref(),
            co_author: Some(&co_author),
            link: &link,
        };
        let collect = Collect::new(&self.source.commit, &self.config.publish.author, &message, &LEAVE_OUT);
        let (own, place) = (self.workspace.own(), self.place());
        let mut confined = self.confined(&own, &place, Path::new(&collect.program), collect.arguments);
        confined.environment.extend(collect.environment);
        let Confinement { mut command, guard, .. } =
            self.sandbox.command(&confined).map_err(|error| error.to_string())?;
        let collected = publish::collect(&mut command, bundle).await;
        drop(guard);
        collected.map_err(|error| error.to_string())
    }

    /// Puts the work where people find it, unless there is a secret in it.
    pub(super) async fn publish(&self, work: &Work, launch: &Launch) -> anyhow::Result<Outcome> {
        match work.secrets(&self.secrets(launch)).await {
            Ok(None) => {}
            Ok(Some(finding)) => {
                let error = format!("The work is not published: {finding}.");
                return Ok(self.end(AgentOutcome::SecretFound, error).await.and_never_again());
            }
            Err(error) => return Ok(self.end(AgentOutcome::AgentError, error.to_string()).await),
        }
        let job = &self.attempt.job;
        let mut branch = None;
        if self.config.publish.push.allows(&job.repository) {
            let name = match &job.branch {
                Some(branch) if self.goes_on => branch.clone(),
                _ => branch_name(job.id, &job.title),
            };
            let before = self.goes_on.then_some(self.source.commit.as_str());
            let to = Destination { repository: &job.repository, branch: &name, before };
            let db = self.attempt.lifecycle.db();
            let is_held = || async {
                db::attempts::is_held(db, job.id, job.attempt, &self.attempt.runner).await.unwrap_or(false)
            };
            match publish::push(work, to, is_held).await {
                Ok(Published { branch: name, note }) => {
                    if let Some(note) = note {
                        self.attempt.output.system(note).await;
                    }
                    self.attempt.output.system(format!("Published on the branch {name}")).await;
                    branch = Some(name);
                }
                Err(error) => return Ok(self.end(AgentOutcome::AgentError, error.to_string()).await),
            }
        }
        let head = work.head().to_owned();
        self.note(|run| {
            run.outcome = Some(AgentOutcome::Changed);
            run.branch = branch;
            run.head = Some(head);
        })
        .await;
        Ok(Outcome::succeeded(None))
    }

    fn secrets(&self, launch: &Launch) -> Secrets {
        Secrets::new(Mask::new(&launch.secrets().map(Into::into).collect::<Vec<_>>()))
    }
}
