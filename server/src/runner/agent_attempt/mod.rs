//! Jobs of kind `agent`: a prompt becomes a branch, or an honest word about why not.
//!
//! The agent works in the sandbox, in a fresh checkout and a home of its own. What it prints is understood line by line; how
//! it ended is weighed against what lies in the working tree; and what is left there leaves the sandbox as a bundle of
//! commits and nothing else.

mod deltas;
mod installation;
mod keys;
mod prompt;
mod result;
mod session;
mod watch;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use app::model::{AgentOutcome, AgentRun, Job, JobId, Protection};
use reqwest::Client;
use secrecy::SecretString;

use self::{keys::KeptKeys, result::Made};
use super::{
    RunningAttempt,
    access::is_strangers,
    agents::{self, Agent, Failure, Profile, Task, Told, Verdict},
    checkout::Source,
    executor::Grounds,
    kin::Cookie,
    publish,
    sandbox::{Confined, Provider, Sandbox, Workplace},
    workspace::Workspace,
};
use crate::{
    config::{Config, Forks, KeysPlace},
    db::{
        self, agent_runs,
        answers::{self, Fork},
        transitions::Outcome,
    },
};

/// Runs agents on this machine.
pub(super) struct Agents {
    sandbox: Sandbox,
    millrace: PathBuf,
    /// Asks the providers.
    client: Client,
}

impl Agents {
    /// `millrace` is the program's own file: parts of the sandbox are in it.
    pub async fn new(config: &Config, data_dir: &Path, millrace: &Path) -> anyhow::Result<Self> {
        let sandbox = Sandbox::detect(&config.sandbox, data_dir, millrace).await;
        if let Some(warning) = sandbox.warning() {
            tracing::warn!("{warning}");
        }
        Ok(Self { sandbox, millrace: millrace.to_owned(), client: Provider::client()? })
    }

    pub async fn run(
        &self,
        grounds: &Grounds,
        attempt: &RunningAttempt,
        workspace: &Workspace,
    ) -> anyhow::Result<Outcome> {
        let job = &attempt.job;
        let name = job.agent.as_deref().unwrap_or_default();
        let Some(agent) = agents::find(name, &grounds.config.agents) else {
            let error = format!("This runner does not know the agent `{name}`.");
            return Ok(Outcome::failed(error).and_never_again());
        };
        let request = attempt.patiently(|| db::with_request(attempt.lifecycle.db(), job.id)).await?;
        let Some(asked) = request.and_then(|(_, prompt)| prompt) else {
            return Ok(Outcome::failed("The job has no prompt.").and_never_again());
        };
        // Unless somebody has deleted it.
        let branch = branch_to_go_on_with(job);
        let refs: Vec<Option<&str>> = branch.map(Some).into_iter().chain([job.git_ref.as_deref()]).collect();
        let source = match grounds.check_out(attempt, workspace, &refs).await? {
            Ok(source) => source,
            Err(outcome) => return Ok(outcome),
        };
        let onto = match branch {
            _ if is_strangers(job) => fork_of(grounds, attempt).await?.map(Onto::Fork),
            branch => branch
                .filter(|_| branch == source.git_ref.as_deref())
                .map(|name| Onto::Branch(name.to_owned())),
        };
        let profile = agent.profile();
        let program = match profile.name.as_str() {
            agents::DEMO => Some(self.millrace.clone()),
            _ => agents::find_program(&profile.program),
        };
        let work = AgentAttempt {
            grounds,
            config: &grounds.config,
            sandbox: &self.sandbox,
            client: &self.client,
            attempt,
            workspace,
            profile,
            onto,
            source,
            run: Mutex::new(AgentRun { protection: Some(self.sandbox.protection()), ..AgentRun::default() }),
        };
        work.run(agent.as_ref(), program, &asked).await
    }
}

/// A branch that is there already.
enum Onto {
    Branch(String),
    Fork(Fork),
}

impl fmt::Display for Onto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => f.write_str(name),
            Self::Fork(fork) => fork.fmt(f),
        }
    }
}

/// One attempt of an agent.
struct AgentAttempt<'a> {
    grounds: &'a Grounds,
    config: &'a Config,
    sandbox: &'a Sandbox,
    client: &'a Client,
    attempt: &'a RunningAttempt,
    workspace: &'a Workspace,
    profile: Profile,
    source: Source,
    /// Whose head the checkout is, and what gets the work; none where that gets a branch of its own.
    onto: Option<Onto>,
    /// What is known so far.
    run: Mutex<AgentRun>,
}

impl AgentAttempt<'_> {
    async fn run(&self, agent: &dyn Agent, program: Option<PathBuf>, asked: &str) -> anyhow::Result<Outcome> {
        let own = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let proxy = self.sandbox.proxy().filter(|_| self.config.sandbox.keys == KeysPlace::Outside);
        let kept = KeptKeys::of(&self.profile, proxy, &own)?;
        self.attempt.output.system(self.introduction(kept.is_some())).await;
        self.note(|_| {}).await;
        let strangers = is_strangers(&self.attempt.job);
        let has_secrets = self.sandbox.protection() == Protection::None
            || kept.is_none() && self.profile.credentials.iter().any(|name| own(name).is_some());
        if strangers && has_secrets {
            let error = format!("Work on forks runs without any secret. {}", self.how_without_secrets());
            return Ok(self.end(AgentOutcome::Authentication, error).await.and_never_again());
        }
        let Some(program) = program else {
            let install = self
                .profile
                .install
                .map(|command| format!(" Install it there: {command}"))
                .unwrap_or_default();
            let error = format!("{} is not installed on this runner.{install}", self.profile.title);
            return Ok(self.end(AgentOutcome::AgentError, error).await.and_never_again());
        };
        let resume = self.restore_session().await?;
        let prompt = match (self.thread(), &resume) {
            (Some(thread), None) => prompt::with_what_was_said(self.attempt, thread, asked).await?,
            _ => asked.to_owned(),
        };
        let place = self.place();
        let seen = self.sandbox.seen(&place);
        let variable = |name: &str| match kept.as_ref().and_then(|kept| kept.stand_in(name)) {
            Some(stand_in) => Some(stand_in),
            None if strangers => None,
            None => own(name),
        };
        let task = Task {
            prompt: &prompt,
            home: &seen.home,
            base_url: kept.as_ref().map(|kept| kept.base_url.as_str()),
            model: self.attempt.job.model.as_deref(),
            resume: resume.as_deref(),
        };
        let launch = agent.prepare(&task, &variable);
        // Also in what Millrace says of it: a host that it was kept from, a file that is left out.
        let given: Vec<SecretString> = launch.secrets().map(Into::into).collect();
        self.attempt.output.hide(&given);
        session::lay_out(&place.home, &launch.files).await?;

        self.attempt.stage("agent").await;
        let mut ending = match self.watch(&program, &launch, kept, agent.reader()).await {
            Ok(ending) => ending,
            Err(error) => {
                let error = format!("{} could not be started: {error}", self.profile.title);
                return Ok(self.end(AgentOutcome::AgentError, error).await.and_never_again());
            }
        };
        // It becomes a commit's message, a comment and a pull request's text.
        let summary = ending.told.summary.take();
        ending.told.summary = summary.map(|summary| self.secrets(&launch).redacted(&summary));
        self.note(|run| {
            told(run, &ending.told);
            run.version = run.version.take().or_else(|| self.attempt.version_of(&self.profile.name));
        })
        .await;
        if self.attempt.stop.reason().is_some() {
            return Ok(Outcome::failed("stopped"));
        }
        let made = self.collect(&ending.told, &launch).await;
        match ending.verdict {
            Verdict::Finished => self.finished(made, &ending.told).await,
            Verdict::Failed(failure) => self.failed(failure, made).await,
        }
    }

    /// The agent has done what it could; whether that is anything is in the working tree.
    async fn finished(&self, made: Result<Made, String>, said: &Told) -> anyhow::Result<Outcome> {
        let agent = self.attempt.job.agent.as_deref().unwrap_or_default();
        if let Err(error) = self.attempt.lifecycle.quota_is_there(agent).await {
            tracing::debug!(%error, "that the quota is there again is noted later");
        }
        match made {
            Err(error) => Ok(self.end(AgentOutcome::AgentError, error).await),
            Ok(Made::Nothing) => {
                self.keep_session(said).await;
                self.nothing_more().await
            }
            Ok(Made::Commits(work, finding)) => self.publish(&work, finding, said).await,
        }
    }

    /// What was made all the same is shown, but not published.
    async fn failed(&self, failure: Failure, made: Result<Made, String>) -> anyhow::Result<Outcome> {
        if let Ok(Made::Commits(..)) = made {
            self.attempt.output.system("What it had changed by then is shown, and not published.").await;
        }
        let Failure { reason, message, again_at } = failure;
        let outcome = self.end(reason, message.clone()).await;
        Ok(match reason {
            AgentOutcome::Quota => {
                let agent = self.attempt.job.agent.as_deref().unwrap_or_default();
                let lifecycle = &self.attempt.lifecycle;
                let until =
                    self.attempt.patiently(|| lifecycle.quota_used_up(agent, &message, again_at)).await?;
                outcome.parked_until(until)
            }
            // They would only cost the same once more.
            AgentOutcome::Authentication | AgentOutcome::LimitReached | AgentOutcome::Timeout => {
                outcome.and_never_again()
            }
            _ => outcome,
        })
    }

    /// Writes down how it ended.
    async fn end(&self, outcome: AgentOutcome, error: String) -> Outcome {
        self.note(|run| run.outcome = Some(outcome)).await;
        Outcome::failed(error)
    }

    /// Changes what is known of the attempt, and writes it down. What Postgres does not take is no reason to stop.
    async fn note(&self, change: impl FnOnce(&mut AgentRun)) {
        let run = {
            let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut run);
            run.clone()
        };
        let (lifecycle, job) = (&self.attempt.lifecycle, &self.attempt.job);
        let note = || agent_runs::note(lifecycle.db(), job.id, job.attempt, &run);
        match self.attempt.patiently(note).await {
            Ok(noted) => lifecycle.tell(noted.as_slice()).await,
            Err(error) => tracing::warn!(job.id = %job.id, %error, "what the agent did was not noted"),
        }
    }

    /// What an operator can do, where the agent would need its key in the sandbox.
    fn how_without_secrets(&self) -> String {
        let title = &self.profile.title;
        match (&self.profile.key, self.sandbox.problem()) {
            (_, Some(_)) => {
                "Without the sandbox an agent can read what the runner can; `millrace doctor` says how to mend it.".to_owned()
            }
            _ if self.config.sandbox.keys == KeysPlace::Inside => {
                "The settings give agents their keys (`keys` under [sandbox]).".to_owned()
            }
            (None, None) => format!(
                "{title} asks several providers, so it would need its keys in the sandbox. Give it one address, as `base_url` under \
                 [agents.{}] in the settings, or name another agent.",
                self.profile.name
            ),
            (Some(key), None) => format!(
                "{title} would have more than a key in the sandbox. Give this runner none of its credentials but {}, or name another \
                 agent.",
                key.variables.join(" or ")
            ),
        }
    }

    fn introduction(&self, keeps_key: bool) -> String {
        match self.sandbox.problem() {
            None if keeps_key => {
                format!("{} starts in the sandbox, and its key stays outside", self.profile.title)
            }
            None => format!("{} starts in the sandbox", self.profile.title),
            Some(problem) => format!("{} starts without a sandbox: {problem}", self.profile.title),
        }
    }

    /// The first job of the conversation, for a follow-up.
    fn thread(&self) -> Option<JobId> {
        self.attempt.job.thread
    }

    /// By which what the agent has started is found; the sandbox ends that by itself.
    fn cookie(&self) -> Option<Cookie> {
        let job = &self.attempt.job;
        let is_unprotected = self.sandbox.protection() == Protection::None;
        is_unprotected.then(|| Cookie::of_attempt(&self.attempt.runner, job.id, job.attempt))
    }

    fn place(&self) -> Workplace {
        Workplace { tree: self.workspace.checkout(), home: self.workspace.home(), tmp: self.workspace.tmp() }
    }

    /// A program in the sandbox of this attempt.
    fn confined<'a>(
        &'a self,
        own: &'a Path,
        place: &'a Workplace,
        program: &Path,
        arguments: Vec<OsString>,
    ) -> Confined<'a> {
        let mut environment = vec![
            ("CI".into(), "true".into()),
            ("MILLRACE".into(), "true".into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "dumb".into()),
        ];
        // Some agents commit by themselves.
        let author = self.config.publish.author.environment();
        environment.extend(author.map(|(name, value)| (name.into(), value.into())));
        if let Some(path) = std::env::var_os("PATH") {
            environment.push(("PATH".into(), path));
        }
        Confined {
            program: program.as_os_str().to_owned(),
            arguments,
            environment,
            workplace: place,
            read_only: [vec![self.source.mirror.join("objects")], installation::shown(program)].concat(),
            allow: Vec::new(),
            provider: None,
            own,
        }
    }
}

/// Where the work that began at a fork goes, if anywhere; the log says why not.
async fn fork_of(grounds: &Grounds, attempt: &RunningAttempt) -> sqlx::Result<Option<Fork>> {
    if grounds.config.github.forks != Forks::Push {
        let why = "What is changed is shown and not pushed: this begins at a fork, and `forks` under [github] does not allow it.";
        attempt.output.system(why).await;
        return Ok(None);
    }
    let fork = attempt.patiently(|| answers::fork(attempt.lifecycle.db(), &attempt.job)).await?;
    if fork.is_none() {
        let why = "What is changed is shown and not pushed: this begins at a fork, and nothing says that its pull request \
                   lets maintainers edit it.";
        attempt.output.system(why).await;
    }
    Ok(fork)
}

/// The branch that a job's work is added to: that of its conversation, or of the pull request where it was asked for. One with
/// the job's own name is from an earlier attempt, and made anew; one of a fork is not the repository's.
fn branch_to_go_on_with(job: &Job) -> Option<&str> {
    let branch = job.branch.as_deref().filter(|_| !is_strangers(job));
    branch.filter(|branch| job.parent.is_some() || !publish::is_own_branch(job.id, branch))
}

fn told(run: &mut AgentRun, told: &Told) {
    let Told { session, model, version, usage, summary } = told.clone();
    *run = AgentRun {
        session: session.or(run.session.take()),
        model: model.or(run.model.take()),
        version: version.or(run.version.take()),
        usage: usage.or(run.usage.take()),
        summary: summary.or(run.summary.take()),
        ..std::mem::take(run)
    };
}
