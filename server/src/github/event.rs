//! What a webhook tells, parsed once: whoever works on an event sees no JSON.

use serde::Deserialize;

use super::RepositoryName;

/// An event of a repository, or of Millrace's App.
#[derive(Clone, Debug)]
pub struct Event {
    pub action: Option<String>,
    pub repository: Option<Repository>,
    /// Who did it.
    pub sender: Option<Account>,
    /// The slug of the App that wrote it in the sender's name.
    pub via: Option<String>,
    pub what: What,
}

/// What happened, as far as it is anything to Millrace.
#[derive(Clone, Debug)]
pub enum What {
    /// Somebody wrote to an issue or a pull request.
    Comment {
        thread: Thread,
        comment: Comment,
    },
    Opened(Thread),
    Labeled {
        thread: Thread,
        label: String,
    },
    Assigned {
        thread: Thread,
        login: String,
    },
    Closed(Thread),
    Review {
        thread: Thread,
        review: Review,
    },
    /// Somebody wrote to lines of a pull request.
    ReviewComment {
        thread: Thread,
        comment: Comment,
        lines: Lines,
    },
    CheckCompleted(Check),
    /// The App was installed, removed, or given other repositories.
    InstallationChanged,
    /// The repository had this name before, or another owner.
    Renamed {
        from: RepositoryName,
    },
    Ping,
    Other,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Repository {
    pub full_name: RepositoryName,
    #[serde(default)]
    pub default_branch: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub id: i64,
    pub login: String,
    /// `User`, `Bot` or `Organization`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

impl Account {
    pub fn is_bot(&self) -> bool {
        self.kind == "Bot"
    }
}

/// An issue or a pull request.
#[derive(Clone, Debug)]
pub struct Thread {
    pub number: i64,
    pub title: String,
    pub body: String,
    pub author: String,
    /// How many comments it has, where the event says so.
    pub comments: Option<u64>,
    pub kind: ThreadKind,
}

#[derive(Clone, Debug)]
pub enum ThreadKind {
    Issue,
    /// With its branches, unless the event does not tell them.
    Pull(Option<Box<Branches>>),
}

impl Thread {
    pub fn is_pull(&self) -> bool {
        matches!(self.kind, ThreadKind::Pull(_))
    }
}

/// Where a pull request comes from and where it goes to.
#[derive(Clone, Debug, Deserialize)]
pub struct Branches {
    pub head: Branch,
    pub base: Branch,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    #[serde(rename = "ref")]
    pub name: String,
    pub sha: String,
    /// None when the fork was deleted.
    pub repo: Option<BranchRepository>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct BranchRepository {
    pub full_name: RepositoryName,
}

#[derive(Clone, Debug)]
pub struct Comment {
    pub id: i64,
    pub body: String,
    pub author: String,
    /// What it said before it was edited; none for a new one.
    pub before: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Review {
    pub id: i64,
    #[serde(default, deserialize_with = "text")]
    pub body: String,
    /// `approved`, `changes_requested` or `commented`.
    #[serde(default)]
    pub state: String,
}

/// The place in a diff that a comment is about.
#[derive(Clone, Debug, Deserialize)]
pub struct Lines {
    pub path: String,
    #[serde(default, deserialize_with = "text")]
    pub diff_hunk: String,
    pub line: Option<u64>,
}

/// A check that is over.
#[derive(Clone, Debug, Deserialize)]
pub struct Check {
    pub id: i64,
    pub name: String,
    #[serde(default, deserialize_with = "text")]
    pub conclusion: String,
    pub head_sha: String,
    #[serde(default)]
    pub output: CheckOutput,
    #[serde(default)]
    check_suite: CheckSuite,
    app: Option<App>,
    #[serde(default)]
    pull_requests: Vec<Numbered>,
}

impl Check {
    /// The branch that was checked, where it is one of the repository.
    pub fn branch(&self) -> Option<&str> {
        self.check_suite.head_branch.as_deref()
    }

    /// The App that made it.
    pub fn app(&self) -> Option<&str> {
        self.app.as_ref().map(|app| app.slug.as_str())
    }

    pub fn pull_request(&self) -> Option<i64> {
        self.pull_requests.first().map(|pull| pull.number)
    }

    pub fn has_failed(&self) -> bool {
        matches!(self.conclusion.as_str(), "failure" | "timed_out")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct CheckOutput {
    #[serde(default, deserialize_with = "text")]
    pub title: String,
    #[serde(default, deserialize_with = "text")]
    pub summary: String,
    #[serde(default, deserialize_with = "text")]
    pub text: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct CheckSuite {
    head_branch: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct App {
    #[serde(default)]
    slug: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Numbered {
    number: i64,
}

/// What GitHub writes as `null` is empty.
fn text<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(value)?.unwrap_or_default())
}

/// Everything that events carry, each of them some of it.
#[derive(Deserialize)]
struct Payload {
    action: Option<String>,
    repository: Option<Repository>,
    sender: Option<Account>,
    issue: Option<Subject>,
    pull_request: Option<Subject>,
    comment: Option<Remark>,
    review: Option<Review>,
    check_run: Option<Check>,
    label: Option<Label>,
    assignee: Option<Account>,
    changes: Option<Changes>,
}

#[derive(Deserialize)]
struct Subject {
    number: i64,
    #[serde(default, deserialize_with = "text")]
    title: String,
    #[serde(default, deserialize_with = "text")]
    body: String,
    user: Option<Account>,
    comments: Option<u64>,
    performed_via_github_app: Option<App>,
    /// Of an issue that is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
    head: Option<Branch>,
    base: Option<Branch>,
}

#[derive(Deserialize)]
struct Remark {
    id: i64,
    #[serde(default, deserialize_with = "text")]
    body: String,
    user: Option<Account>,
    path: Option<String>,
    #[serde(default, deserialize_with = "text")]
    diff_hunk: String,
    line: Option<u64>,
    performed_via_github_app: Option<App>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Changes {
    body: Option<Before>,
    repository: Option<RepositoryBefore>,
    owner: Option<OwnerBefore>,
}

#[derive(Deserialize)]
struct RepositoryBefore {
    name: Option<Before>,
}

#[derive(Deserialize)]
struct OwnerBefore {
    from: Option<Owner>,
}

/// Of one kind or the other.
#[derive(Deserialize)]
struct Owner {
    user: Option<Account>,
    organization: Option<Login>,
}

/// An organisation, where events say less of it than of an account.
#[derive(Deserialize)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
struct Before {
    #[serde(default, deserialize_with = "text")]
    from: String,
}

impl Event {
    /// `name` is the header's `X-GitHub-Event`. An event that is nothing to Millrace is [`What::Other`]; an error is a body
    /// that is not what GitHub's documentation says.
    pub fn parse(name: &str, body: &[u8]) -> serde_json::Result<Self> {
        let mut payload: Payload = serde_json::from_slice(body)?;
        let via = payload.via();
        let what = payload.take(name).unwrap_or(What::Other);
        let Payload { action, repository, sender, .. } = payload;
        Ok(Self { action, repository, sender, via, what })
    }

    /// The issue or pull request that it belongs to.
    pub fn number(&self) -> Option<i64> {
        match &self.what {
            What::Comment { thread, .. }
            | What::Opened(thread)
            | What::Labeled { thread, .. }
            | What::Assigned { thread, .. }
            | What::Closed(thread)
            | What::Review { thread, .. }
            | What::ReviewComment { thread, .. } => Some(thread.number),
            What::CheckCompleted(check) => check.pull_request(),
            What::InstallationChanged | What::Renamed { .. } | What::Ping | What::Other => None,
        }
    }

    /// What was asked in it, by a name that every delivery about the same has: GitHub tells of a comment twice where two
    /// webhooks lead here.
    pub fn subject(&self) -> Option<String> {
        match &self.what {
            What::Comment { comment, .. } => Some(format!("comment {}", comment.id)),
            What::ReviewComment { comment, .. } => Some(format!("review comment {}", comment.id)),
            What::Review { review, .. } => Some(format!("review {}", review.id)),
            What::Opened(thread) => Some(format!("opened {}", thread.number)),
            What::CheckCompleted(check) => Some(format!("check {}", check.id)),
            _ => None,
        }
    }
}

impl Payload {
    /// Of an issue GitHub says which App opened it, whatever has happened to it since.
    fn via(&self) -> Option<String> {
        let app = match &self.comment {
            Some(comment) => comment.performed_via_github_app.as_ref(),
            None if self.action.as_deref() == Some("opened") => {
                self.issue.as_ref().or(self.pull_request.as_ref())?.performed_via_github_app.as_ref()
            }
            None => None,
        };
        app.map(|app| app.slug.clone())
    }

    fn take(&mut self, name: &str) -> Option<What> {
        let action = self.action.as_deref().unwrap_or_default();
        Some(match (name, action) {
            ("ping", _) => What::Ping,
            ("installation" | "installation_repositories" | "installation_target", _) => {
                What::InstallationChanged
            }
            ("repository", "renamed" | "transferred") => What::Renamed { from: self.name_before()? },
            ("issue_comment", "created") => {
                What::Comment { thread: self.thread()?, comment: self.comment()?.0 }
            }
            ("issue_comment", "edited") => {
                let before = self.changes.take()?.body?.from;
                let (comment, _) = self.comment()?;
                What::Comment { thread: self.thread()?, comment: Comment { before: Some(before), ..comment } }
            }
            ("issues" | "pull_request", "opened") => What::Opened(self.thread()?),
            ("issues" | "pull_request", "labeled") => {
                What::Labeled { label: self.label.take()?.name, thread: self.thread()? }
            }
            ("issues" | "pull_request", "assigned") => {
                What::Assigned { login: self.assignee.take()?.login, thread: self.thread()? }
            }
            ("pull_request", "closed") => What::Closed(self.thread()?),
            ("pull_request_review", "submitted") => {
                What::Review { review: self.review.take()?, thread: self.thread()? }
            }
            ("pull_request_review_comment", "created") => {
                let (comment, lines) = self.comment()?;
                What::ReviewComment { thread: self.thread()?, comment, lines: lines? }
            }
            ("check_run", "completed") => What::CheckCompleted(self.check_run.take()?),
            _ => return None,
        })
    }

    /// What changed is told, not the whole.
    fn name_before(&mut self) -> Option<RepositoryName> {
        let now = &self.repository.as_ref()?.full_name;
        let changes = self.changes.take()?;
        let name = changes.repository.and_then(|repository| repository.name).map(|name| name.from);
        let owner = changes.owner.and_then(|owner| owner.from).and_then(|from| {
            from.user.map(|user| user.login).or(from.organization.map(|organisation| organisation.login))
        });
        if name.is_none() && owner.is_none() {
            return None;
        }
        let (owner, name) = (owner.as_deref().unwrap_or(now.owner()), name.as_deref().unwrap_or(now.name()));
        format!("{owner}/{name}").parse().ok()
    }

    fn thread(&mut self) -> Option<Thread> {
        let (subject, is_pull) = match (self.pull_request.take(), self.issue.take()) {
            (Some(pull), _) => (pull, true),
            (None, Some(issue)) => {
                let is_pull = issue.pull_request.is_some();
                (issue, is_pull)
            }
            (None, None) => return None,
        };
        let branches = subject.head.zip(subject.base).map(|(head, base)| Box::new(Branches { head, base }));
        Some(Thread {
            number: subject.number,
            title: subject.title,
            body: subject.body,
            author: subject.user.map(|user| user.login).unwrap_or_default(),
            comments: subject.comments,
            kind: if is_pull { ThreadKind::Pull(branches) } else { ThreadKind::Issue },
        })
    }

    fn comment(&mut self) -> Option<(Comment, Option<Lines>)> {
        let Remark { id, body, user, path, diff_hunk, line, .. } = self.comment.take()?;
        let author = user.map(|user| user.login).unwrap_or_default();
        let lines = path.map(|path| Lines { path, diff_hunk, line });
        Some((Comment { id, body, author, before: None }, lines))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(name: &str, mut more: Value) -> Event {
        let fields = more.as_object_mut().unwrap();
        fields
            .insert("repository".to_owned(), json!({ "full_name": "ada/orchard", "default_branch": "main" }));
        fields.insert("sender".to_owned(), json!({ "id": 1, "login": "ada", "type": "User" }));
        Event::parse(name, more.to_string().as_bytes()).unwrap()
    }

    fn issue() -> Value {
        json!({ "number": 7, "title": "Apples", "body": null, "user": { "id": 2, "login": "grace" }, "comments": 3 })
    }

    #[test]
    fn a_comment_comes_with_its_thread() {
        let comment = json!({ "id": 5, "body": "@millrace go", "user": { "id": 1, "login": "ada" } });
        let event =
            parse("issue_comment", json!({ "action": "created", "issue": issue(), "comment": comment }));
        assert_eq!((event.number(), event.subject().as_deref()), (Some(7), Some("comment 5")));
        let What::Comment { thread, comment } = event.what else { panic!("{event:?}") };
        assert_eq!((thread.title.as_str(), thread.body.as_str(), thread.is_pull()), ("Apples", "", false));
        assert_eq!((comment.author.as_str(), comment.before), ("ada", None));
    }

    #[test]
    fn a_repository_with_another_name_or_owner_says_what_it_was_called() {
        let from = |action: &str, changes: Value| match parse(
            "repository",
            json!({ "action": action, "changes": changes }),
        )
        .what
        {
            What::Renamed { from } => Some(from.to_string()),
            _ => None,
        };
        let renamed = json!({ "repository": { "name": { "from": "garden" } } });
        assert_eq!(from("renamed", renamed).as_deref(), Some("ada/garden"));
        for owner in [
            json!({ "user": { "id": 3, "login": "eve" } }),
            json!({ "organization": { "id": 3, "login": "eve" } }),
        ] {
            let transferred = json!({ "owner": { "from": owner } });
            assert_eq!(from("transferred", transferred).as_deref(), Some("eve/orchard"));
        }
        assert_eq!(from("transferred", json!({})), None);
        assert_eq!(from("edited", json!({ "default_branch": { "from": "master" } })), None);
    }

    #[test]
    fn what_an_app_wrote_for_somebody_names_the_app() {
        let app = json!({ "id": 3, "slug": "helper" });
        let comment = json!({ "id": 5, "body": "x", "performed_via_github_app": app });
        let fields = json!({ "action": "created", "issue": issue(), "comment": comment });
        assert_eq!(parse("issue_comment", fields).via.as_deref(), Some("helper"));
        let mut opened = issue();
        opened["performed_via_github_app"] = app;
        let event = |action: &str| parse("issues", json!({ "action": action, "issue": opened }));
        assert_eq!(event("opened").via.as_deref(), Some("helper"));
        assert_eq!(event("assigned").via, None, "somebody else may do that");
    }

    #[test]
    fn an_edited_comment_knows_what_it_said() {
        let edited = json!({
            "action": "edited", "issue": issue(), "comment": { "id": 5, "body": "new" },
            "changes": { "body": { "from": "old" } },
        });
        let What::Comment { comment, .. } = parse("issue_comment", edited).what else { panic!() };
        assert_eq!(comment.before.as_deref(), Some("old"));
    }

    #[test]
    fn a_pull_request_has_branches() {
        let branch =
            |name: &str| json!({ "ref": name, "sha": "abc", "repo": { "full_name": "ada/orchard" } });
        let pull = json!({ "number": 8, "title": "Pears", "head": branch("pears"), "base": branch("main") });
        let event = parse(
            "pull_request",
            json!({ "action": "labeled", "pull_request": pull, "label": { "name": "millrace" } }),
        );
        let What::Labeled { thread, label } = event.what else { panic!() };
        let ThreadKind::Pull(Some(branches)) = thread.kind else { panic!() };
        assert_eq!((label.as_str(), branches.head.name.as_str()), ("millrace", "pears"));
    }

    #[test]
    fn a_failed_check_names_its_branch() {
        let check = json!({
            "id": 9, "name": "test", "conclusion": "failure", "head_sha": "abc", "output": { "title": null },
            "check_suite": { "head_branch": "millrace/x" }, "app": { "slug": "ci" }, "pull_requests": [{ "number": 8 }],
        });
        let event = parse("check_run", json!({ "action": "completed", "check_run": check }));
        let What::CheckCompleted(check) = &event.what else { panic!() };
        assert!(check.has_failed());
        assert_eq!((check.branch(), check.app(), event.number()), (Some("millrace/x"), Some("ci"), Some(8)));
    }

    #[test]
    fn everything_else_is_other() {
        for (name, more) in [
            ("push", json!({})),
            ("issue_comment", json!({ "action": "deleted", "issue": issue() })),
            ("issue_comment", json!({ "action": "created" })),
            ("issues", json!({ "action": "labeled", "issue": issue() })),
            ("a new event", json!({ "action": "created" })),
        ] {
            assert!(matches!(parse(name, more).what, What::Other), "{name}");
        }
        assert!(Event::parse("push", b"[").is_err() && Event::parse("push", b"\xff").is_err());
    }
}
