//! From what lies in an agent's checkout to a branch and a diff.

use std::path::Path;

use app::model::AgentOutcome;

use super::{
    super::{
        access::{Access, is_strangers},
        agents::{Launch, Told},
        checkout::has_branch,
        kin::Cookie,
        publish::{
            self, Collect, Collected, Destination, Finding, Message, PublishError, Published, ReceiveError,
            Secrets, Work, branch_name,
        },
        sandbox::Confinement,
    },
    AgentAttempt, Onto,
};
use crate::{
    changes,
    config::Author,
    connection::Purpose,
    db::{
        self, agent_runs,
        answers::{self, NewAnswer},
        output::Stored,
        transitions::Outcome,
    },
    output::Mask,
};

/// What agents leave for themselves in a checkout.
const LEAVE_OUT: [&str; 1] = [".aider*"];

/// What an agent has made.
pub(super) enum Made {
    Nothing,
    /// And the secret in them, if there is one.
    Commits(Work, Result<Option<Finding>, ReceiveError>),
}

impl AgentAttempt<'_> {
    /// Commits what is left, takes it out of the sandbox, keeps its diff for the job's page, and looks for secrets in it. The
    /// error is for people.
    pub(super) async fn collect(&self, said: &Told, launch: &Launch) -> Result<Made, String> {
        self.attempt.stage("publish").await;
        let own = self.workspace.own();
        let bundle = own.join("bundle");
        let collected = self.commit(said, &bundle).await?;
        for note in collected.notes {
            self.attempt.output.system(self.secrets(launch).redacted(&note)).await;
        }
        if !collected.changed {
            return Ok(Made::Nothing);
        }
        let (repository, base) = (own.join("result.git"), &self.source.commit);
        let received = Work::receive(&repository, &self.source.mirror, &bundle, base).await;
        let Some(work) = received.map_err(|error| error.to_string())? else { return Ok(Made::Nothing) };
        let secrets = self.secrets(launch);
        let (patch, finding) = tokio::join!(work.patch(&secrets), work.secrets(&secrets));
        let patch = patch.map_err(|error| error.to_string())?;
        let job = &self.attempt.job;
        let db = self.attempt.lifecycle.db();
        let store = || changes::store(db, job.id, job.attempt, &self.attempt.runner, &patch);
        match self.attempt.patiently(store).await {
            Ok(Stored::Yes) => {}
            Ok(Stored::NotHeld) => return Err("The attempt is no longer this runner's.".to_owned()),
            Err(error) => return Err(format!("The changes could not be kept: {error}.")),
        }
        self.note(|run| run.changes = Some(work.figures())).await;
        Ok(Made::Commits(work, finding))
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
        let cookie = self.cookie();
        if let Some((name, value)) = cookie.as_ref().map(Cookie::variable) {
            command.env(name, value);
        }
        let collected = publish::collect(&mut command, bundle).await;
        drop(guard);
        if let Some(cookie) = cookie {
            cookie.end_all().await;
        }
        collected.map_err(|error| error.to_string())
    }

    /// Puts the work where people find it, unless there is a secret in it.
    pub(super) async fn publish(
        &self,
        work: &Work,
        finding: Result<Option<Finding>, ReceiveError>,
        said: &Told,
    ) -> anyhow::Result<Outcome> {
        match finding {
            Ok(None) => {}
            Ok(Some(finding)) => {
                let error = format!("The work is not published: {finding}.");
                return Ok(self.end(AgentOutcome::SecretFound, error).await.and_never_again());
            }
            Err(error) => return Ok(self.end(AgentOutcome::AgentError, error.to_string()).await),
        }
        let access = match &self.onto {
            Some(Onto::Fork(fork)) => self.grounds.access_to_fork(self.attempt, fork).await,
            _ => self.grounds.access(self.attempt, Purpose::Push).await,
        };
        let access = match access {
            Ok(access) => access,
            Err(error) => {
                let error = format!("The work could not be published: {error}.");
                return Ok(self.end(AgentOutcome::AgentError, error).await);
            }
        };
        // Before it is pushed: the next attempt has to know its own, should this one be cut off in between.
        let head = work.head().to_owned();
        self.note(|run| run.head = Some(head)).await;
        let mut branch = None;
        if self.may_push(access.as_ref()) {
            match self.push(work, access.as_ref()).await? {
                Ok(name) => branch = Some(name),
                // Its author may have changed their mind, or the branch. There is no other place for it.
                Err(error) if matches!(self.onto, Some(Onto::Fork(_))) && error.is_final() => {
                    let note = format!("{error} The work is shown, and not published.");
                    self.attempt.output.system(note).await;
                }
                Err(error) => return Ok(self.end(AgentOutcome::AgentError, error.to_string()).await),
            }
        } else if !is_strangers(&self.attempt.job) {
            let why = "The work is shown and not pushed: `push` under [publish] in the settings does not allow it here.";
            self.attempt.output.system(why).await;
        }
        if branch.is_some() {
            self.keep_session(said).await;
        }
        if let Some(access) = access.filter(|_| branch.is_some()) {
            self.have_it_told(&access).await?;
        }
        self.note(|run| {
            run.outcome = Some(AgentOutcome::Changed);
            run.branch = branch;
        })
        .await;
        Ok(Outcome::succeeded(None))
    }

    /// Where the agent left nothing. What an earlier attempt has published, before it was cut off, is this job's work too.
    pub(super) async fn nothing_more(&self) -> anyhow::Result<Outcome> {
        let job = &self.attempt.job;
        let db = self.attempt.lifecycle.db();
        let own = self.attempt.patiently(|| agent_runs::heads(db, job.id)).await?;
        let published = self.onto.as_ref().filter(|_| own.contains(&self.source.commit));
        self.note(|run| match published {
            Some(onto) => {
                run.outcome = Some(AgentOutcome::Changed);
                run.branch = Some(onto.to_string());
                run.head = Some(self.source.commit.clone());
            }
            None => run.outcome = Some(AgentOutcome::NoChange),
        })
        .await;
        Ok(Outcome::succeeded(None))
    }

    /// Without access to a fork the work of strangers goes nowhere.
    fn may_push(&self, access: Option<&Access>) -> bool {
        let (push, job) = (self.config.publish.push, &self.attempt.job);
        match access {
            Some(_) => push.allows_github(),
            None => push.allows(&job.repository) && !is_strangers(job),
        }
    }

    /// Returns the branch that has the work now.
    async fn push(&self, work: &Work, access: Option<&Access>) -> sqlx::Result<Result<String, PublishError>> {
        let (job, db) = (&self.attempt.job, self.attempt.lifecycle.db());
        let new = branch_name(job.id, &job.title);
        let (name, otherwise) = match &self.onto {
            Some(Onto::Fork(fork)) => (fork.branch.as_str(), None),
            Some(Onto::Branch(name)) if name.starts_with("millrace/") => (name.as_str(), Some(name.as_str())),
            // Nobody looks for Millrace's work beside somebody's own branch.
            Some(Onto::Branch(name)) => (name.as_str(), Some(new.as_str())),
            None => (new.as_str(), Some(new.as_str())),
        };
        let own = self.attempt.patiently(|| agent_runs::heads(db, job.id)).await?;
        let to = Destination {
            repository: &job.repository,
            branch: name,
            before: self.onto.as_ref().map(|_| self.source.commit.as_str()),
            otherwise,
            own: &own,
            access,
            limit: self.config.runner.git_limit,
        };
        let is_held = || async {
            let ask = || db::attempts::is_held(db, job.id, job.attempt, &self.attempt.runner);
            self.attempt.patiently(ask).await.unwrap_or(false)
        };
        let pushed = tokio::select! {
            pushed = publish::push(work, to, is_held) => pushed,
            // Dropping the push ends its git.
            _ = self.attempt.stop.requested() => Err(PublishError::Stopped),
        };
        let Published { branch, note } = match pushed {
            Ok(published) => published,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(note) = note {
            self.attempt.output.system(note).await;
        }
        let branch = match &self.onto {
            Some(onto @ Onto::Fork(_)) => onto.to_string(),
            _ => branch,
        };
        self.attempt.output.system(format!("Published on the branch {branch}")).await;
        Ok(Ok(branch))
    }

    /// GitHub is to hear of the work, also where nobody asked for it there.
    async fn have_it_told(&self, access: &Access) -> sqlx::Result<()> {
        let (job, lifecycle) = (&self.attempt.job, &self.attempt.lifecycle);
        let branch = job.git_ref.as_deref().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
        let base = match branch {
            Some(name) if has_branch(&self.source.mirror, name).await => Some(name.to_owned()),
            _ => None,
        };
        let new = NewAnswer {
            job: job.id,
            repository: &access.repository,
            number: None,
            asked: None,
            head_sha: None,
            base,
            fork: match &self.onto {
                Some(Onto::Fork(fork)) => Some(fork.clone()),
                _ => None,
            },
        };
        self.attempt.patiently(|| answers::open(lifecycle.db(), &new)).await?;
        let queue = lifecycle.queue();
        if let Err(error) = queue.ring(&queue.keys().answers_bell(), b"").await {
            tracing::debug!(%error, "GitHub is told after the next look");
        }
        Ok(())
    }

    pub(super) fn secrets(&self, launch: &Launch) -> Secrets {
        Secrets::new(self.mask(launch))
    }

    /// Finds what the agent was given, and what else this runner knows: outside of the sandbox it can come across that.
    pub(super) fn mask(&self, launch: &Launch) -> Option<Mask> {
        let given = launch.secrets().map(Into::into);
        Mask::new(&given.chain(self.grounds.secrets.iter().cloned()).collect::<Vec<_>>())
    }
}
