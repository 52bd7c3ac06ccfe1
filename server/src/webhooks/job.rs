//! From a wish to a job: the conversation that it goes on with, the guards, the prompt, and the row.

use app::model::{ApiError, Job, JobId, NewJob, Person, Trigger, Verdict};

use super::{
    Failure, Settled, Webhooks,
    instructions::{self, Instructions},
    judge::Case,
    prompt::{self, Material},
    wish::Reason,
};
use crate::{
    config::Forks,
    connection::Purpose,
    db::{
        self, Conversation, OwnedJob,
        answers::{self, Asked, AskedIn, Fork, NewAnswer},
        deliveries, github_threads, people,
    },
    github::{
        BranchName, Client,
        event::{Branches, Check, Thread, ThreadKind, What},
        leads_to_pull_requests,
        mention::Ask,
    },
    lifecycle::JobRequest,
};

/// How many jobs one conversation may have.
const DEPTH: u32 = 100;
/// How the branches of Millrace's own begin.
const OWN_BRANCHES: &str = "millrace/";

/// Where a job begins, and where its work goes.
#[derive(Default)]
struct Place {
    git_ref: Option<String>,
    /// Somebody's branch, which the work is pushed to.
    branch: Option<String>,
    /// What a pull request is to be merged into, unless it is the default branch.
    base: Option<String>,
    head_sha: Option<String>,
    /// The branch of a fork that the work is pushed to.
    fork: Option<Fork>,
}

impl Place {
    /// Whether it begins at what somebody without any rights may have written.
    fn is_strangers(&self) -> bool {
        self.git_ref.as_deref().is_some_and(leads_to_pull_requests)
    }
}

/// A job that is about to be made.
struct Plan<'a> {
    person: &'a Person,
    /// What to call it, where that is not how the request begins.
    title: Option<String>,
    request: String,
    ask: Ask,
    place: Place,
    /// The job to go on with.
    parent: Option<Job>,
    /// Where it is answered.
    number: Option<i64>,
    asked: Option<Asked>,
}

impl Webhooks {
    /// The first job of the conversation that a thread has.
    pub(super) async fn conversation_of(
        &self,
        case: &Case<'_>,
        thread: &Thread,
    ) -> Result<Option<JobId>, Failure> {
        let db = self.lifecycle.db();
        if let Some(first) = github_threads::find(db, case.repository, thread.number).await? {
            return Ok(Some(first));
        }
        let ThreadKind::Pull(branches) = &thread.kind else { return Ok(None) };
        let head = match branches {
            Some(branches) => branches.head.clone(),
            None => self.reader(case).await?.pull_state(case.repository, thread.number).await?.branches.head,
        };
        let is_own = head.repo.as_ref().is_some_and(|repo| repo.full_name == *case.repository);
        if !is_own || !head.name.starts_with(OWN_BRANCHES) {
            return Ok(None);
        }
        Ok(github_threads::of_branch(db, case.repository, &head.name).await?)
    }

    async fn reader(&self, case: &Case<'_>) -> Result<Client, Failure> {
        Ok(self.connection.client(case.repository, Purpose::Read).await?)
    }

    /// Somebody who may asks for work in a thread.
    pub(super) async fn work_in(
        &self,
        case: &Case<'_>,
        thread: &Thread,
        ask: Ask,
        reason: Reason,
    ) -> Result<Option<Settled>, Failure> {
        let client = self.reader(case).await?;
        let first = self.conversation_of(case, thread).await?;
        let parent = match first {
            Some(first) => {
                if let Some(settled) = self.already(case, first, reason).await? {
                    return Ok(Some(settled));
                }
                if let Some(settled) = self.guarded(case, first, thread.number).await? {
                    return Ok(Some(settled));
                }
                github_threads::last_job(self.lifecycle.db(), first).await?.map(|owned| owned.job)
            }
            None => None,
        };
        if reason == Reason::Reviewed && parent.is_none() {
            let why = "It is a review of a pull request whose work Millrace does not know.";
            return Ok(Some(Settled::new(Verdict::NotForUs, why)));
        }
        if ask.base.is_some() && (parent.is_some() || thread.is_pull()) {
            let mistake = "`base` is for new work in an issue. The work here has its branch already.";
            return self.tell_mistake(case, thread.number, mistake).await.map(Some);
        }
        let ask = if parent.is_some() {
            ask
        } else {
            match Instructions::read(&client, case.repository).await? {
                Ok(instructions) => instructions.fill(ask),
                Err(mistake) => return self.tell_mistake(case, thread.number, &mistake.0).await.map(Some),
            }
        };
        let place = match &thread.kind {
            ThreadKind::Issue => {
                // In full, so that git finds a branch of that name or nothing.
                let git_ref = ask.base.as_ref().map(BranchName::full);
                Place { git_ref, base: ask.base.as_ref().map(BranchName::to_string), ..Place::default() }
            }
            ThreadKind::Pull(branches) => {
                let branches = match branches {
                    Some(branches) => branches.as_ref().clone(),
                    None => client.pull_state(case.repository, thread.number).await?.branches,
                };
                match self.place_in(case, branches, parent.is_some()) {
                    Ok(place) if place.is_strangers() => {
                        Place { fork: self.fork_of(&client, case, thread.number).await?, ..place }
                    }
                    Ok(place) => place,
                    Err(why) => {
                        self.reply(case, thread.number, &why).await?;
                        return Ok(Some(Settled::new(Verdict::NotAllowed, why)));
                    }
                }
            }
        };
        let (review, lines, asked) = match &case.event.what {
            What::Comment { comment, .. } => {
                (None, None, Some(Asked { place: AskedIn::Comment, id: comment.id }))
            }
            What::ReviewComment { comment, lines, .. } => {
                (None, Some(lines), Some(Asked { place: AskedIn::ReviewComment, id: comment.id }))
            }
            What::Review { review, .. } => (Some(review), None, None),
            _ => (None, None, Some(Asked { place: AskedIn::Issue, id: thread.number })),
        };
        let request = match (ask.prompt.trim(), reason) {
            ("", Reason::Reviewed) => prompt::review_request(thread.number),
            ("", _) => prompt::request(thread),
            (prompt, _) => prompt.to_owned(),
        };
        let instructions = instructions::for_agents(&client, case.repository).await?;
        let said = client.latest_said(case.repository, thread.number).await?;
        let asking = asked.filter(|asked| asked.place != AskedIn::Issue).map(|asked| asked.id);
        let material = Material {
            repository: case.repository,
            instructions: instructions.as_deref(),
            thread: Some(thread),
            review,
            lines,
            check: None,
            said: &said,
            asking,
        };
        // Where nobody said in words what to do, the issue says what it is about.
        let title =
            (ask.prompt.trim().is_empty() && reason != Reason::Reviewed).then(|| thread.title.clone());
        let request = prompt::write(&request, &material);
        let person = people::of_github(self.lifecycle.db(), case.sender.id, &case.sender.login).await?;
        let number = Some(thread.number);
        self.make(case, Plan { person: &person, title, request, ask, place, parent, number, asked }).await
    }

    /// Whether the same was asked for already: a new issue with the label is told of twice, as new and as labelled.
    async fn already(
        &self,
        case: &Case<'_>,
        first: JobId,
        reason: Reason,
    ) -> Result<Option<Settled>, Failure> {
        if case.claimed.replays > 0 {
            return Ok(None);
        }
        let db = self.lifecycle.db();
        let job = match reason {
            Reason::Opened => github_threads::last_job(db, first).await?.map(|owned| owned.job),
            Reason::Given => github_threads::unfinished(db, first).await?.pop(),
            Reason::Mentioned | Reason::Reviewed => None,
        };
        let settled =
            |job: Job| Settled::new(Verdict::Duplicate, "There is a job for it already.").about(job.id);
        Ok(job.map(settled))
    }

    /// Whether there is too much going on in a conversation.
    pub(super) async fn guarded(
        &self,
        case: &Case<'_>,
        first: JobId,
        number: i64,
    ) -> Result<Option<Settled>, Failure> {
        let traffic = github_threads::traffic(self.lifecycle.db(), first).await?;
        let limit = self.config.github.jobs_per_thread_per_hour.get();
        let why = if traffic.within_hour >= limit {
            format!(
                "This thread has asked for {limit} jobs within an hour, which is as many as it may. Ask again later."
            )
        } else if traffic.in_all >= DEPTH {
            format!(
                "This conversation has {DEPTH} jobs, which is as many as it may have. Begin another one in a new issue."
            )
        } else {
            return Ok(None);
        };
        // Once within the hour: who asks may be a program.
        let marker =
            format!("<!-- millrace:loop-guard={} -->", case.claimed.received_at.format("%Y-%m-%dT%H"));
        self.say(case, number, &marker, &why).await?;
        Ok(Some(Settled::new(Verdict::LoopGuard, why)))
    }

    /// Where the work on a pull request begins and goes, or why there is none.
    fn place_in(&self, case: &Case<'_>, branches: Branches, goes_on: bool) -> Result<Place, String> {
        let Branches { head, base } = branches;
        let (number, base, head_sha) =
            (case.event.number().unwrap_or_default(), Some(base.name), Some(head.sha));
        let is_own = head.repo.is_some_and(|repo| repo.full_name == *case.repository);
        match (is_own, self.config.github.forks) {
            // Its jobs have their branch already.
            (true, _) if goes_on && head.name.starts_with(OWN_BRANCHES) => {
                Ok(Place { base, head_sha, ..Place::default() })
            }
            (true, _) => {
                let (git_ref, branch) = (Some(head.name.clone()), Some(head.name));
                Ok(Place { git_ref, branch, base, head_sha, fork: None })
            }
            // A job that begins at such a ref gets no token.
            (false, Forks::Run | Forks::Push) => {
                let git_ref = Some(format!("refs/pull/{number}/head"));
                Ok(Place { git_ref, base, head_sha, ..Place::default() })
            }
            (false, Forks::Refuse) => {
                Err("Millrace does not work on pull requests from forks here. An owner of this installation can allow it \
                     with `forks` under [github] in Leptos.toml."
                    .to_owned())
            }
        }
    }

    /// Where the work on a fork's pull request may go, which not every event tells.
    async fn fork_of(&self, client: &Client, case: &Case<'_>, number: i64) -> Result<Option<Fork>, Failure> {
        if self.config.github.forks != Forks::Push {
            return Ok(None);
        }
        let pull = client.pull_state(case.repository, number).await?;
        let head = pull.branches.head;
        let repository = head.repo.filter(|_| pull.maintainer_can_modify).map(|repo| repo.full_name);
        // A name that would lead elsewhere is nobody's branch.
        let fork = repository.zip(BranchName::try_from(head.name).ok());
        Ok(fork.map(|(repository, branch)| Fork { repository, branch }))
    }

    /// A check failed: one more round, where the branch is Millrace's.
    pub(super) async fn round(
        &self,
        case: &Case<'_>,
        check: &Check,
        own_login: &str,
    ) -> Result<Option<Settled>, Failure> {
        let not_for_us = |why: &str| Ok(Some(Settled::new(Verdict::NotForUs, why)));
        let db = self.lifecycle.db();
        let own = own_login.strip_suffix("[bot]").unwrap_or(own_login);
        if check.app().is_some_and(|app| app.eq_ignore_ascii_case(own)) {
            return not_for_us("It is Millrace's own check.");
        }
        let Some(branch) = check.branch().filter(|branch| branch.starts_with(OWN_BRANCHES)) else {
            return not_for_us("The branch is not Millrace's.");
        };
        let Some(first) = github_threads::of_branch(db, case.repository, branch).await? else {
            return not_for_us("The branch is not Millrace's.");
        };
        let Some(OwnedJob { job: last, owner: Some(owner) }) = github_threads::last_job(db, first).await?
        else {
            return not_for_us("Whoever asked for the work is not known any more.");
        };
        if case.claimed.replays == 0
            && let Some(job) = github_threads::unfinished(db, first).await?.pop()
        {
            let why = "There is a job on this branch already. When that has ended, this is looked at again.";
            return Ok(Some(Settled::new(Verdict::Duplicate, why).about(job.id)));
        }
        let client = self.reader(case).await?;
        let thread_number = github_threads::number_of(db, case.repository, first).await?;
        let is_latest = match check.pull_request() {
            Some(number) => {
                let pull = client.pull_state(case.repository, number).await?;
                pull.state == "open" && pull.branches.head.sha == check.head_sha
            }
            None => {
                let head = client.branch_head(case.repository, branch).await?;
                head.as_deref() == Some(check.head_sha.as_str())
            }
        };
        if !is_latest {
            return not_for_us(
                "The pull request is closed, or the branch has newer commits than the one that was checked.",
            );
        }
        let number = check.pull_request().or(thread_number);
        let (rounds, traffic) = (self.config.github.check_rounds, github_threads::traffic(db, first).await?);
        if traffic.check_rounds >= rounds {
            let why = format!(
                "The check still fails, and {rounds} {} in a row were made because of failed checks. Somebody has to look; \
                 `@{} …` goes on.",
                if rounds == 1 { "round" } else { "rounds" },
                self.config.github.mention,
            );
            if let Some(number) = number.filter(|_| rounds > 0) {
                let marker = format!("<!-- millrace:rounds={} -->", last.id);
                self.say(case, number, &marker, &why).await?;
            }
            return Ok(Some(Settled::new(Verdict::LoopGuard, why)));
        }
        if let Some(number) = number
            && let Some(settled) = self.guarded(case, first, number).await?
        {
            return Ok(Some(settled));
        }
        let Some(person) = people::known(db, owner).await? else {
            return not_for_us("Whoever asked for the work is not known any more.");
        };
        let instructions = instructions::for_agents(&client, case.repository).await?;
        let annotations = client.check_annotations(case.repository, check.id).await?;
        let material = Material {
            repository: case.repository,
            instructions: instructions.as_deref(),
            thread: None,
            review: None,
            lines: None,
            check: Some((check, &annotations)),
            said: &[],
            asking: None,
        };
        let plan = Plan {
            person: &person,
            title: None,
            request: prompt::write(&prompt::round_request(check), &material),
            ask: Ask::default(),
            place: Place { head_sha: Some(check.head_sha.clone()), ..Place::default() },
            parent: Some(last),
            number,
            asked: None,
        };
        self.make(case, plan).await
    }

    /// Makes the job. Its row, its conversation, its answer and the verdict are written together or not at all.
    async fn make(&self, case: &Case<'_>, plan: Plan<'_>) -> Result<Option<Settled>, Failure> {
        let Plan { person, title, request, ask, place, parent, number, asked } = plan;
        let conversation = parent.as_ref().map(|parent| Conversation {
            parent: parent.id,
            thread: parent.thread.unwrap_or(parent.id),
            branch: parent.branch.clone(),
        });
        let same_agent = |parent: &Job| ask.agent.is_none() || ask.agent == parent.agent;
        let new = NewJob {
            kind: "agent".to_owned(),
            repository: self.connection.address_of(case.repository),
            git_ref: parent.as_ref().map_or(place.git_ref, |parent| parent.git_ref.clone()),
            prompt: Some(request),
            model: ask.model.clone().or_else(|| parent.as_ref().filter(|job| same_agent(job))?.model.clone()),
            agent: ask.agent.clone().or_else(|| parent.as_ref()?.agent.clone()),
            priority: ask.priority.map(|priority| priority.to_string()),
            ..NewJob::default()
        };
        let parsed = match JobRequest::parse(new, Trigger::Webhook, &self.rules) {
            Ok(parsed) => parsed,
            Err(ApiError::Invalid { field, message }) => {
                let option = if field == "ref" { "base" } else { &field };
                let mistake = format!("`{option}`: {message}");
                return match number {
                    Some(number) => self.tell_mistake(case, number, &mistake).await.map(Some),
                    None => Ok(Some(Settled::new(Verdict::Error, mistake))),
                };
            }
            Err(error) => return Err(error.into()),
        };
        let parsed = match &title {
            Some(title) => parsed.called(title),
            None => parsed,
        };
        let parsed = match (conversation, place.branch) {
            (Some(conversation), _) => parsed.continuing(conversation),
            (None, Some(branch)) => parsed.on_branch(branch),
            (None, None) => parsed,
        };
        let row = parsed.row(JobId::new(), person);
        let mut transaction = self.lifecycle.db().begin().await?;
        if let Some(number) = number {
            github_threads::lock(&mut *transaction, case.repository, number).await?;
            // Two deliveries can tell of one thing at once: a new issue with a label is told of twice.
            let known = github_threads::find(&mut *transaction, case.repository, number).await?;
            if parent.is_none() && known.is_some() {
                return Err(Failure::later(
                    "Another delivery has begun the conversation of this thread meanwhile",
                ));
            }
        }
        let made = db::insert_in_turn(&mut transaction, std::slice::from_ref(&row)).await?;
        let answer = NewAnswer {
            job: row.id,
            repository: case.repository,
            number,
            asked,
            head_sha: place.head_sha,
            base: place.base,
            fork: place.fork,
        };
        answers::open(&mut *transaction, &answer).await?;
        if let Some(number) = number {
            let first = row.conversation.as_ref().map_or(row.id, |conversation| conversation.thread);
            github_threads::keep(&mut *transaction, case.repository, number, first).await?;
        }
        let detail = match parent {
            Some(parent) => format!("It goes on with job {}.", parent.id.short()),
            None => String::new(),
        };
        if !deliveries::settle(&mut *transaction, case.claimed, Verdict::Ran, &detail, Some(row.id)).await? {
            // Somebody else has begun it meanwhile, and theirs counts.
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.commit().await?;
        self.lifecycle.made(&made).await;
        let queue = self.lifecycle.queue();
        // Without the ring the answer comes within a second.
        let _ = queue.ring(&queue.keys().answers_bell(), b"").await;
        tracing::info!(delivery.id = %case.claimed.id, job.id = %row.id, "a delivery made a job");
        Ok(None)
    }
}

/// Whether a pull request comes from a branch of Millrace's.
pub(super) fn is_own_pull(case: &Case<'_>, thread: &Thread) -> bool {
    let ThreadKind::Pull(Some(branches)) = &thread.kind else { return false };
    let head = &branches.head;
    let is_here = head.repo.as_ref().is_some_and(|repo| repo.full_name == *case.repository);
    is_here && head.name.starts_with(OWN_BRANCHES)
}
