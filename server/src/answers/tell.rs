//! One try to bring GitHub up to date with a job: each step is looked up where it may have been done before, done, and noted.

use app::model::{AgentOutcome, AgentRun, Job};
use chrono::{DateTime, TimeDelta};
use sha2::{Digest as _, Sha256};

use super::{
    Answers, LEASE,
    say::{find, marked},
    words::{Standing, Words, Work, branch_words, pull_request},
};
use crate::{
    config::PullRequestState,
    connection::{ConnectionError, Purpose},
    db::{
        self, OwnedJob,
        answers::{self, Answer, Asked, AskedIn, Step},
    },
    github::{CheckRun, Client, GitHubError, NewPull, Pull, Reacted, leads_to_pull_requests},
};

/// How far GitHub's clock may be from ours.
const CLOCKS: TimeDelta = TimeDelta::minutes(5);

/// What came of a try that reached its end.
pub(super) struct Told {
    pub revision: i64,
    pub is_finished: bool,
    /// What GitHub did not take, in words.
    pub problem: Option<String>,
}

/// Why a try did not reach its end.
pub(super) enum Stopped {
    /// The answer is somebody else's by now, or its job is gone.
    Lost,
    Failed {
        error: ConnectionError,
        revision: i64,
        is_finished: bool,
    },
}

/// Inside of a try.
enum Halt {
    Lost,
    Failed(ConnectionError),
}

impl<E: Into<ConnectionError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A job as GitHub is told of it.
struct Telling<'a> {
    answers: &'a Answers,
    client: Client,
    answer: &'a mut Answer,
    job: Job,
    run: Option<AgentRun>,
    link: String,
    problems: Vec<String>,
}

impl Answers {
    pub(super) async fn tell(&self, answer: &mut Answer) -> Result<Told, Stopped> {
        let unknown =
            |error: sqlx::Error| Stopped::Failed { error: error.into(), revision: 0, is_finished: false };
        let found = db::find_owned(self.lifecycle.db(), answer.job).await.map_err(unknown)?;
        let Some(OwnedJob { job, .. }) = found else { return Err(Stopped::Lost) };
        let (revision, is_finished) = (job.revision, job.state.is_finished());
        match self.bring_up_to_date(answer, job).await {
            Ok(told) => Ok(told),
            Err(Halt::Lost) => Err(Stopped::Lost),
            Err(Halt::Failed(error)) => Err(Stopped::Failed { error, revision, is_finished }),
        }
    }

    async fn bring_up_to_date(&self, answer: &mut Answer, job: Job) -> Result<Told, Halt> {
        if answer.number.is_none() && !job.state.is_finished() {
            return Ok(Told { revision: job.revision, is_finished: false, problem: None });
        }
        let client = self.connection.client(&answer.repository, Purpose::Answer).await?;
        let attempts = db::attempts::of_job(self.lifecycle.db(), job.id).await?;
        let run = attempts.into_iter().next_back().and_then(|attempt| attempt.agent);
        let link = format!("{}/jobs/{}", self.config.server.public_address(), job.id);
        let mut telling = Telling { answers: self, client, answer, job, run, link, problems: Vec::new() };
        telling.react().await?;
        let work = telling.work().await?;
        telling.speak(work).await?;
        let Telling { job, problems, .. } = telling;
        let problem = (!problems.is_empty()).then(|| problems.join(" "));
        Ok(Told { revision: job.revision, is_finished: job.state.is_finished(), problem })
    }
}

impl Telling<'_> {
    /// Eyes on what was asked. Where it is gone or closed to comments there is nobody to see them.
    async fn react(&mut self) -> Result<(), Halt> {
        let Some(Asked { place, id }) = self.answer.asked.filter(|_| !self.answer.is_reacted) else {
            return Ok(());
        };
        let to = match place {
            AskedIn::Issue => Reacted::Issue(id),
            AskedIn::Comment => Reacted::Comment(id),
            AskedIn::ReviewComment => Reacted::ReviewComment(id),
        };
        match self.client.react_with_eyes(&self.answer.repository, to).await {
            Err(error) if error.may_pass() => Err(error.into()),
            _ => self.note(Step::Reacted).await,
        }
    }

    /// Where the work is: opens a pull request for it unless there is one.
    async fn work(&mut self) -> Result<Work, Halt> {
        let is_changed = self.job.state.is_finished() && self.job.outcome == Some(AgentOutcome::Changed);
        if !is_changed {
            return Ok(Work::None);
        }
        let Some(branch) = self.run.as_ref().and_then(|run| run.branch.clone()) else {
            return Ok(Work::Unpublished);
        };
        if self.job.git_ref.as_deref().is_some_and(leads_to_pull_requests) {
            // Such work goes to the fork's branch of this pull request, or nowhere.
            return Ok(Work::ThisPull);
        }
        match self.pull(&branch).await {
            Ok(Some(number)) if Some(number) == self.answer.number => Ok(Work::ThisPull),
            Ok(Some(number)) => Ok(Work::Pull(number)),
            Ok(None) => Ok(Work::Branch(branch)),
            Err(Halt::Failed(ConnectionError::GitHub(error))) if !error.may_pass() => {
                self.problem(&format!("the pull request for {}", branch_words(&branch)), &error);
                Ok(Work::Branch(branch))
            }
            Err(halt) => Err(halt),
        }
    }

    async fn pull(&mut self, branch: &str) -> Result<Option<i64>, Halt> {
        if let Some(pull) = self.client.pull_of_branch(&self.answer.repository, branch).await? {
            return self.opened(pull).await.map(Some);
        }
        // Somebody has closed or merged it since: that was their decision.
        if let Some(number) = self.answer.pull_number {
            return Ok(Some(number));
        }
        let base = match &self.answer.base {
            Some(base) => base.clone(),
            None => self.client.default_branch(&self.answer.repository).await?,
        };
        if base == branch {
            return Ok(None);
        }
        self.note(Step::Begins).await?;
        let (title, body) = pull_request(&self.standing(&Work::None), self.closes());
        let is_draft = self.answers.config.github.pull_request == PullRequestState::Draft;
        let mut new = NewPull { title: &title, body: &body, head: branch, base: &base, draft: is_draft };
        let mut opened = self.client.open_pull(&self.answer.repository, &new).await;
        // Not every plan has drafts.
        if let Err(GitHubError::Invalid(words)) = &opened
            && new.draft
            && words.to_lowercase().contains("draft")
        {
            new.draft = false;
            opened = self.client.open_pull(&self.answer.repository, &new).await;
        }
        match opened {
            Ok(pull) => self.opened(pull).await.map(Some),
            Err(GitHubError::Invalid(words)) if words.contains("already exists") => {
                match self.client.pull_of_branch(&self.answer.repository, branch).await? {
                    Some(pull) => self.opened(pull).await.map(Some),
                    None => Err(GitHubError::Invalid(words).into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn opened(&mut self, pull: Pull) -> Result<i64, Halt> {
        let (number, url) = (Some(pull.number), Some(&pull.html_url));
        if self.job.pull_request.as_ref() != url || self.answer.pull_number != number {
            let lifecycle = &self.answers.lifecycle;
            let noted =
                answers::opened(lifecycle.db(), self.answer, pull.number, &pull.html_url, LEASE).await?;
            let Some(owned) = noted else { return Err(Halt::Lost) };
            lifecycle.tell(std::slice::from_ref(&owned)).await;
            self.job = owned.job;
            self.answer.pull_number = number;
        }
        Ok(pull.number)
    }

    /// The comment and the check run, unless they say so already.
    async fn speak(&mut self, work: Work) -> Result<(), Halt> {
        let waiting = self.answers.lifecycle.waiting(&self.job).await.ok().flatten();
        let words = Standing { waiting: waiting.as_ref(), ..self.standing(&work) }.words();
        let said = digest(&words);
        if self.answer.said.as_deref() == Some(&said) {
            return Ok(());
        }
        self.comment(&words).await?;
        self.check(&words, &work).await?;
        self.answer.said = Some(said).filter(|_| self.problems.is_empty());
        Ok(())
    }

    async fn comment(&mut self, words: &Words) -> Result<(), Halt> {
        let Some(number) = self.answer.number else { return Ok(()) };
        match self.try_comment(number, &words.comment).await {
            Err(Halt::Failed(ConnectionError::GitHub(error))) if !error.may_pass() => {
                self.problem(&format!("the comment in #{number}"), &error);
                Ok(())
            }
            result => result,
        }
    }

    async fn try_comment(&mut self, number: i64, text: &str) -> Result<(), Halt> {
        let marker = format!("<!-- millrace:job={} -->", self.job.id);
        let body = marked(text, &marker);
        let repository = self.answer.repository.clone();
        if let Some(id) = self.answer.comment_id {
            match self.client.edit_comment(&repository, id, &body).await {
                Err(GitHubError::NotFound) => self.note(Step::CommentGone).await?,
                result => return Ok(result.map(drop)?),
            }
        }
        self.note(Step::Begins).await?;
        let before = if self.answer.tries > 1 {
            let since = DateTime::from_timestamp_millis(self.job.created_at.0).map(|time| time - CLOCKS);
            let own = self.answers.connection.own_login().await?;
            find(&self.client, &repository, number, &own, &marker, since).await?
        } else {
            None
        };
        let comment = match before {
            Some(id) => self.client.edit_comment(&repository, id, &body).await?,
            None => self.client.comment(&repository, number, &body).await?,
        };
        self.note(Step::Commented(comment.id)).await
    }

    async fn check(&mut self, words: &Words, work: &Work) -> Result<(), Halt> {
        if self.answer.check_run_id == Some(0) {
            return Ok(());
        }
        match self.try_check(words, self.pushed(work)).await {
            // A token that is no App's may make none, and the commit may be gone.
            Err(Halt::Failed(ConnectionError::GitHub(error))) if !error.may_pass() => {
                tracing::debug!(job.id = %self.job.id, %error, "there is no check run");
                self.note(Step::NoCheck).await
            }
            result => result,
        }
    }

    /// The commit with the work is the new head, which is the one that people look at and that may be merged.
    async fn try_check(&mut self, words: &Words, pushed: Option<String>) -> Result<(), Halt> {
        let (repository, external) = (self.answer.repository.clone(), self.job.id.to_string());
        let (link, asked_at) = (self.link.clone(), self.answer.head_sha.clone());
        let run = CheckRun::new(words.status, words.conclusion, &link, &words.title, &words.comment);
        let mut known = self.answer.check_run_id;
        if let (None, Some(commit)) = (known, &asked_at) {
            known = self.client.find_check_run(&repository, commit, &external).await?;
        }
        if let Some(commit) = &pushed {
            let here = self.client.find_check_run(&repository, commit, &external).await?;
            // The one at the head before must not seem to run for ever.
            if let Some(before) = known.filter(|_| known != here) {
                self.client.change_check_run(&repository, before, &run).await?;
            }
            known = here;
        }
        let id = match (known, pushed.or(asked_at)) {
            (Some(id), _) => {
                self.client.change_check_run(&repository, id, &run).await?;
                id
            }
            (None, Some(commit)) => {
                self.note(Step::Begins).await?;
                self.client.make_check_run(&repository, &commit, &external, &run).await?
            }
            (None, None) => return Ok(()),
        };
        match self.answer.check_run_id == Some(id) {
            true => Ok(()),
            false => self.note(Step::Checked(id)).await,
        }
    }

    /// The commit that the branch has had since the job has ended.
    fn pushed(&self, work: &Work) -> Option<String> {
        let is_pushed = matches!(work, Work::Branch(_) | Work::Pull(_) | Work::ThisPull);
        self.run.as_ref().filter(|_| is_pushed)?.head.clone()
    }

    fn standing<'a>(&'a self, work: &'a Work) -> Standing<'a> {
        Standing {
            job: &self.job,
            run: self.run.as_ref(),
            waiting: None,
            work,
            number: self.answer.number,
            link: &self.link,
            mention: &self.answers.config.github.mention,
        }
    }

    /// The issue that the work settles. A pull request has a head.
    fn closes(&self) -> Option<i64> {
        let is_pull = self.answer.head_sha.is_some()
            || self.answer.asked.is_some_and(|asked| asked.place == AskedIn::ReviewComment);
        self.answer.number.filter(|_| !is_pull)
    }

    async fn note(&mut self, step: Step) -> Result<(), Halt> {
        if !answers::note(self.answers.lifecycle.db(), self.answer, step, LEASE).await? {
            return Err(Halt::Lost);
        }
        match step {
            Step::Begins => {}
            Step::Reacted => self.answer.is_reacted = true,
            Step::Commented(id) => self.answer.comment_id = Some(id),
            Step::CommentGone => self.answer.comment_id = None,
            Step::Checked(id) => self.answer.check_run_id = Some(id),
            Step::NoCheck => self.answer.check_run_id = Some(0),
        }
        Ok(())
    }

    /// GitHub refuses a step, which is no reason to leave out the others.
    fn problem(&mut self, what: &str, error: &GitHubError) {
        let remedy = match error {
            GitHubError::Forbidden(_) => " Look at what Millrace's GitHub App, or its token, may do there.",
            GitHubError::NotFound => {
                " Look whether it is still there, and whether Millrace's GitHub App is installed."
            }
            _ => "",
        };
        self.problems.push(format!("It does not take {what}: {error}.{remedy}"));
    }
}

fn digest(words: &Words) -> String {
    let digest = Sha256::digest(format!("{}\n{}\n{}", words.status, words.title, words.comment));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
