//! What the comment, the check run and the pull request say.

use app::{
    components::{
        time::duration_text,
        words::{agent_title, cost_text, count_text, outlook, sentence},
    },
    model::{AgentOutcome, AgentRun, ChangeFigures, Job, JobState, Waiting},
    reason_text,
};

use super::plain::{harmless, one_line, quoted};
use crate::github::{Conclusion, leads_to_pull_requests};

/// How much of an agent's summary is repeated, in characters.
const SUMMARY: usize = 20_000;
/// How much of an error.
const ERROR: usize = 1_000;
/// How long a title may be.
const TITLE: usize = 200;

/// A job as GitHub is told of it.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a> {
    pub job: &'a Job,
    /// What is known of the latest attempt.
    pub run: Option<&'a AgentRun>,
    pub waiting: Option<&'a Waiting>,
    pub work: &'a Work,
    /// The issue or pull request where it was asked for.
    pub number: Option<i64>,
    pub link: &'a str,
    /// How Millrace is called, without the @.
    pub mention: &'a str,
}

/// Where the work is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// There is none, or none yet.
    None,
    /// The settings keep it from being pushed, or it is work on a fork that nothing is pushed to.
    Unpublished,
    Branch(String),
    Pull(i64),
    /// On the branch of the pull request where it was asked for.
    ThisPull,
}

pub(super) struct Words {
    /// Of the check run.
    pub status: &'static str,
    pub conclusion: Option<Conclusion>,
    pub title: String,
    pub comment: String,
}

impl Standing<'_> {
    pub(super) fn words(&self) -> Words {
        let (status, conclusion) = match self.job.state {
            JobState::Scheduled | JobState::Queued | JobState::Parked => ("queued", None),
            JobState::Running => ("in_progress", None),
            JobState::Succeeded if self.job.outcome == Some(AgentOutcome::NoChange) => {
                ("completed", Some(Conclusion::Neutral))
            }
            JobState::Succeeded => ("completed", Some(Conclusion::Success)),
            JobState::Failed => ("completed", Some(Conclusion::Failure)),
            JobState::Canceled => ("completed", Some(Conclusion::Cancelled)),
        };
        let (title, text) = self.head();
        let mut comment = format!("**{title}.** {text}\n\n{}", self.facts());
        if let Some(summary) = self.summary().filter(|_| self.job.state.is_finished()) {
            comment += &format!("\n\n{}", quoted(summary, SUMMARY));
        }
        Words { status, conclusion, title: title.to_owned(), comment }
    }

    fn head(&self) -> (&'static str, String) {
        let job = self.job;
        match job.state {
            JobState::Scheduled | JobState::Queued | JobState::Parked => ("Waiting", self.why_it_waits()),
            JobState::Running => ("Working on it", outlook(job, None)),
            JobState::Succeeded => match job.outcome {
                Some(AgentOutcome::NoChange) => (
                    "Nothing to change",
                    format!(
                        "{} finished and left nothing to commit. To go on, say what should be different: `@{} …`",
                        self.agent(),
                        self.mention
                    ),
                ),
                Some(_) => ("Done", self.where_it_is()),
                None => ("Done", "The script ended with exit code 0.".to_owned()),
            },
            JobState::Failed => ("Failed", self.failure()),
            JobState::Canceled => {
                ("Canceled", format!("Somebody stopped it. `@{} retry` runs it again.", self.mention))
            }
        }
    }

    fn why_it_waits(&self) -> String {
        let reasons = self.waiting.map(|waiting| waiting.reasons.as_slice()).unwrap_or_default();
        let reasons: Vec<String> = reasons.iter().map(|reason| reason_text(reason, None)).collect();
        let why = if reasons.is_empty() { "It starts in a moment.".to_owned() } else { reasons.join(" ") };
        one_line(&why, ERROR)
    }

    fn where_it_is(&self) -> String {
        let commit = self.run.and_then(|run| run.head.as_deref()).and_then(|head| head.get(..12));
        let commit = commit.map(|commit| format!(" as {commit}")).unwrap_or_default();
        match self.work {
            Work::Pull(number) => format!("The work is in #{number}{commit}."),
            Work::ThisPull => format!("The work is on this pull request's branch{commit}."),
            Work::Branch(branch) => format!("The work is on {}{commit}.", branch_words(branch)),
            Work::None | Work::Unpublished if self.is_of_strangers() => {
                "Nothing was pushed to the fork; the job's log says why. What was changed is on its page.".to_owned()
            }
            Work::None | Work::Unpublished => {
                "The settings of Millrace keep the work from being pushed; what was changed is on the job's page."
                    .to_owned()
            }
        }
    }

    fn is_of_strangers(&self) -> bool {
        self.job.git_ref.as_deref().is_some_and(leads_to_pull_requests)
    }

    /// What happened, and what to do next.
    fn failure(&self) -> String {
        let error =
            sentence(&one_line(self.job.error.as_deref().unwrap_or("Nothing is known of why."), ERROR));
        let agent = self.agent();
        let retry = format!("`@{} retry` tries it again", self.mention);
        match self.job.outcome {
            Some(AgentOutcome::Authentication) => format!(
                "The provider of {agent} does not accept the key: {error} Whoever runs Millrace has to set a valid one; then {retry}."
            ),
            Some(AgentOutcome::Quota) => {
                format!("The quota of {agent} is used up: {error} When it is there again, {retry}.")
            }
            Some(AgentOutcome::RateLimited) => {
                format!("The provider of {agent} kept asking to slow down: {error} In some minutes, {retry}.")
            }
            Some(AgentOutcome::LimitReached) => format!(
                "{agent} hit a limit: {error} Ask for less at once, or have the limit raised in Millrace's settings; then {retry}."
            ),
            Some(AgentOutcome::Timeout) => format!(
                "The time for {agent} was over: {error} Ask for less at once, or have the time extended in Millrace's settings; then {retry}."
            ),
            Some(AgentOutcome::Killed) => format!("{agent} was ended from outside: {error} {retry}."),
            Some(AgentOutcome::Crashed) => {
                format!("{agent} ended without a last word: {error} The log says more; {retry}.")
            }
            Some(AgentOutcome::SecretFound) => format!(
                "{error} Look at the job's page. If it is a secret, have it changed, and say `@{} …` how to do without it.",
                self.mention
            ),
            Some(AgentOutcome::AgentError) => format!("{agent} says that it failed: {error} {retry}."),
            _ => format!("{error} When that is mended, {retry}."),
        }
    }

    /// One line: how much was changed, how long it took, what it cost, and where the log is.
    fn facts(&self) -> String {
        let log = if self.job.state.is_finished() { "Log" } else { "Watch it" };
        let mut facts = Vec::new();
        if self.job.state.is_finished() {
            facts.extend(self.figures());
        }
        facts.push(format!("[{log}]({})", self.link));
        facts.join(" · ")
    }

    fn figures(&self) -> Vec<String> {
        let took = self.job.started_at.zip(self.job.finished_at).map(|(start, end)| end.millis_since(start));
        let usage = self.run.and_then(|run| run.usage);
        [
            self.run.and_then(|run| run.changes).map(changed),
            took.filter(|took| *took >= 0).map(duration_text),
            usage.and_then(|usage| usage.cost_micros).map(cost_text),
            usage.map(|usage| format!("{} tokens", count_text(usage.input_tokens + usage.output_tokens))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn agent(&self) -> String {
        one_line(self.job.agent.as_deref().map_or("The script", agent_title), TITLE)
    }

    fn summary(&self) -> Option<&str> {
        self.run.and_then(|run| run.summary.as_deref()).filter(|summary| !summary.trim().is_empty())
    }
}

/// Title and body of the pull request with the work, and the issue that it closes.
pub(super) fn pull_request(standing: &Standing<'_>, closes: Option<i64>) -> (String, String) {
    let title = standing.summary().and_then(first_line).unwrap_or(&standing.job.title);
    let title = one_line(title, TITLE);
    let mut body = match standing.summary() {
        Some(summary) => harmless(summary, SUMMARY),
        None => format!("{} did this, and wrote nothing about it.", standing.agent()),
    };
    let asked = match standing.number {
        Some(number) if closes.is_none() => format!("Asked for in #{number} · "),
        _ => String::new(),
    };
    body += &format!("\n\n---\n\n{asked}{} · {}", standing.agent(), standing.facts());
    if let Some(number) = closes {
        body += &format!("\n\nCloses #{number}");
    }
    body += &format!("\n\n<!-- millrace:job={} -->", standing.job.id);
    let title = if title.is_empty() { "Changes".to_owned() } else { title };
    (title, body)
}

/// The first line that says something, without the marks of a heading, a list or a stress around it.
fn first_line(summary: &str) -> Option<&str> {
    let says = |line: &&str| line.chars().any(char::is_alphanumeric) && !line.trim_start().starts_with("```");
    let line = summary.lines().find(says)?.trim_start_matches(['#', '*', '-', '>', ' ', '\t']);
    Some(line.trim_end_matches(['*', ' ']))
}

/// A branch's name in code. Git allows no backtick to be a danger, but it may be there.
pub(super) fn branch_words(branch: &str) -> String {
    format!("the branch `{}`", branch.replace('`', ""))
}

fn changed(changes: ChangeFigures) -> String {
    let ChangeFigures { files, additions, deletions, .. } = changes;
    format!("{files} {} changed, +{additions} −{deletions}", if files == 1 { "file" } else { "files" })
}

#[cfg(test)]
mod tests {
    use app::model::{JobId, Kind, Priority, Timestamp, Trigger, Usage};

    use super::*;

    fn job(state: JobState, outcome: Option<AgentOutcome>) -> Job {
        Job {
            id: JobId::new(),
            kind: Kind::Agent,
            state,
            priority: Priority::Normal,
            attempt: 1,
            max_attempts: 1,
            title: "Turn the wheel @ada".to_owned(),
            repository: "https://github.com/ada/orchard".to_owned(),
            git_ref: None,
            agent: Some("claude".to_owned()),
            model: None,
            trigger: Trigger::Webhook,
            created_by: Some("ada".to_owned()),
            created_at: Timestamp(0),
            queued_at: Some(Timestamp(0)),
            started_at: Some(Timestamp(1_000)),
            finished_at: state.is_finished().then_some(Timestamp(66_000)),
            run_at: None,
            stage: Some("agent".to_owned()),
            progress: None,
            exit_code: None,
            error: None,
            outcome,
            branch: None,
            pull_request: None,
            parent: None,
            thread: None,
            cancel_requested: false,
            revision: 1,
        }
    }

    fn standing<'a>(job: &'a Job, run: Option<&'a AgentRun>, work: &'a Work) -> Standing<'a> {
        Standing {
            job,
            run,
            waiting: None,
            work,
            number: Some(7),
            link: "http://mill/jobs/1",
            mention: "millrace",
        }
    }

    fn done() -> AgentRun {
        AgentRun {
            summary: Some("It turns. Thanks @ada, fixes #1".to_owned()),
            head: Some("0123456789abcdef".to_owned()),
            usage: Some(Usage {
                input_tokens: 1_000,
                cached_tokens: 0,
                output_tokens: 50,
                cost_micros: Some(420_000),
            }),
            changes: Some(ChangeFigures { files: 2, additions: 10, deletions: 3, commits: 1 }),
            ..AgentRun::default()
        }
    }

    #[test]
    fn a_result_says_where_the_work_is_and_what_it_took() {
        let (job, run) = (job(JobState::Succeeded, Some(AgentOutcome::Changed)), done());
        let words = standing(&job, Some(&run), &Work::Pull(12)).words();
        assert_eq!(
            words.comment,
            "**Done.** The work is in #12 as 0123456789ab.\n\n\
             2 files changed, +10 −3 · 1m 05s · $0.42 · 1,050 tokens · [Log](http://mill/jobs/1)\n\n\
             > It turns. Thanks @\u{200b}ada, f\u{200b}ixes #\u{200b}1"
        );
        assert_eq!((words.status, words.conclusion), ("completed", Some(Conclusion::Success)));
    }

    #[test]
    fn a_pull_request_is_named_by_what_was_done() {
        let job = job(JobState::Succeeded, Some(AgentOutcome::Changed));
        let title = |summary: Option<&str>| {
            let run = AgentRun { summary: summary.map(str::to_owned), ..done() };
            pull_request(&standing(&job, Some(&run), &Work::None), None).0
        };
        assert_eq!(title(Some("\n## **Mend the wheel**\nIt turns.")), "Mend the wheel");
        assert_eq!(title(Some("Fixes #1 for @ada\nIt turns.")), "F\u{200b}ixes #\u{200b}1 for @\u{200b}ada");
        assert_eq!(title(Some(&"ü".repeat(300))), format!("{} …", "ü".repeat(TITLE)));
        for nothing in [None, Some(" \n"), Some("---")] {
            assert_eq!(title(nothing), "Turn the wheel @\u{200b}ada");
        }
    }

    #[test]
    fn a_pull_request_closes_the_issue_that_asked_for_it_and_no_other() {
        let (job, run) = (job(JobState::Succeeded, Some(AgentOutcome::Changed)), done());
        let (_, body) = pull_request(&standing(&job, Some(&run), &Work::None), Some(7));
        assert!(body.contains("\n\nCloses #7\n") && !body.contains("#1"), "{body}");
        let (_, body) = pull_request(&standing(&job, Some(&run), &Work::None), None);
        assert!(body.contains("Asked for in #7") && !body.contains("Closes"), "{body}");
    }

    #[test]
    fn every_failure_says_what_to_do_next() {
        for outcome in AgentOutcome::ALL.iter().copied().map(Some).chain([None]) {
            if outcome.is_some_and(AgentOutcome::is_success) {
                continue;
            }
            let job = Job { error: Some("no\n@ada".to_owned()), ..job(JobState::Failed, outcome) };
            let words = standing(&job, None, &Work::None).words();
            assert!(words.comment.contains("`@millrace "), "{outcome:?}: {}", words.comment);
            assert!(words.comment.contains("no @\u{200b}ada."), "{outcome:?}: {}", words.comment);
        }
    }

    #[test]
    fn a_running_job_says_what_it_does_and_where_to_watch() {
        let job = job(JobState::Running, None);
        let words = standing(&job, None, &Work::None).words();
        assert_eq!(words.comment, "**Working on it.** The agent works.\n\n[Watch it](http://mill/jobs/1)");
        assert_eq!(words.status, "in_progress");
    }
}
