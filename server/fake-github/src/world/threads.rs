//! Issues and what is said under them; a pull request is an issue with a branch.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Event, Outcome, Pull, State};
use crate::refusal::Refusal;

#[derive(Clone, Debug)]
pub struct Thread {
    pub id: u64,
    pub number: u64,
    pub author: String,
    pub title: String,
    pub body: String,
    pub open: bool,
    pub labels: Vec<String>,
    pub assignees: Vec<String>,
    pub comments: Vec<Comment>,
    pub reactions: Vec<Reaction>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub pull: Option<Pull>,
}

#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub author: String,
    pub body: String,
    /// How often it was changed since it was written.
    pub edits: usize,
    pub reactions: Vec<Reaction>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub id: u64,
    pub user: String,
    /// `+1`, `eyes`, `rocket` and so on.
    pub content: String,
    pub created_at: DateTime<Utc>,
}

/// What a `PATCH` of an issue or a pull request may bring.
#[derive(Default, serde::Deserialize)]
pub(crate) struct IssueChange {
    pub title: Option<String>,
    pub body: Option<String>,
    pub state: Option<String>,
    pub labels: Option<Vec<String>>,
    pub assignees: Option<Vec<String>>,
}

/// Whether there is still something to do about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Open,
    Closed,
}

/// What a reaction is to.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Thread(u64),
    Comment(u64),
    ReviewComment(u64),
}

const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

impl State {
    pub fn thread(&self, repository: &str, number: u64) -> Outcome<&Thread> {
        self.repository(repository)?.threads.get(&number).ok_or_else(Refusal::not_found)
    }

    pub fn thread_mut(&mut self, repository: &str, number: u64) -> Outcome<&mut Thread> {
        self.repository_mut(repository)?.threads.get_mut(&number).ok_or_else(Refusal::not_found)
    }

    /// An issue, or with a branch a pull request; nobody is told yet.
    pub fn insert_thread(
        &mut self,
        repository: &str,
        author: &str,
        title: &str,
        body: &str,
        pull: Option<Pull>,
    ) -> Outcome<u64> {
        let id = self.next_id();
        let threads = &mut self.repository_mut(repository)?.threads;
        let number = threads.last_key_value().map_or(1, |(last, _)| last + 1);
        let now = Utc::now();
        let thread = Thread {
            id,
            number,
            author: author.to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            open: true,
            labels: Vec::new(),
            assignees: Vec::new(),
            comments: Vec::new(),
            reactions: Vec::new(),
            created_at: now,
            updated_at: now,
            pull,
        };
        threads.insert(number, thread);
        Ok(number)
    }

    pub fn open_issue(&mut self, repository: &str, author: &str, title: &str, body: &str) -> Outcome<u64> {
        if title.trim().is_empty() {
            return Err(Refusal::field("Issue", "title", "missing_field"));
        }
        let number = self.insert_thread(repository, author, title, body, None)?;
        self.tell_thread(repository, number, "opened", author, json!({}))?;
        Ok(number)
    }

    /// Moves an issue to another repository, where it is new, and still its author's.
    pub fn transfer_issue(&mut self, from: &str, number: u64, to: &str, by: &str) -> Outcome<u64> {
        let issue = self.repository_mut(from)?.threads.remove(&number).ok_or_else(Refusal::not_found)?;
        let before = json!({ "changes": { "old_issue": { "number": number }, "old_repository": { "full_name": from } } });
        let number = self.insert_thread(to, &issue.author, &issue.title, &issue.body, None)?;
        self.tell_thread(to, number, "opened", by, before)?;
        Ok(number)
    }

    pub fn comment(&mut self, repository: &str, number: u64, author: &str, body: &str) -> Outcome<u64> {
        if body.trim().is_empty() {
            return Err(Refusal::field("IssueComment", "body", "missing_field"));
        }
        let id = self.next_id();
        let now = Utc::now();
        let thread = self.thread_mut(repository, number)?;
        thread.updated_at = now;
        thread.comments.push(Comment {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
            edits: 0,
            reactions: Vec::new(),
            created_at: now,
            updated_at: now,
        });
        self.tell_comment(repository, number, id, "created", author, json!({}))?;
        Ok(id)
    }

    /// The thread's number and the comment.
    pub fn find_comment(&self, repository: &str, id: u64) -> Outcome<(u64, &Comment)> {
        let threads = self.repository(repository)?.threads.values();
        threads
            .flat_map(|thread| thread.comments.iter().map(move |comment| (thread.number, comment)))
            .find(|(_, comment)| comment.id == id)
            .ok_or_else(Refusal::not_found)
    }

    pub fn edit_comment(&mut self, repository: &str, id: u64, by: &str, body: &str) -> Outcome<()> {
        let (number, _) = self.find_comment(repository, id)?;
        let comments = &mut self.thread_mut(repository, number)?.comments;
        let comment = comments.iter_mut().find(|comment| comment.id == id).ok_or_else(Refusal::not_found)?;
        let before = std::mem::replace(&mut comment.body, body.to_owned());
        comment.edits += 1;
        comment.updated_at = Utc::now();
        let changes = json!({ "changes": { "body": { "from": before } } });
        self.tell_comment(repository, number, id, "edited", by, changes)
    }

    pub fn delete_comment(&mut self, repository: &str, id: u64, by: &str) -> Outcome<()> {
        let (number, _) = self.find_comment(repository, id)?;
        self.tell_comment(repository, number, id, "deleted", by, json!({}))?;
        self.thread_mut(repository, number)?.comments.retain(|comment| comment.id != id);
        Ok(())
    }

    pub fn label(&mut self, repository: &str, number: u64, label: &str, by: &str) -> Outcome<()> {
        self.repository_mut(repository)?.labels.insert(label.to_owned());
        let thread = self.thread_mut(repository, number)?;
        if !thread.labels.iter().any(|given| given == label) {
            thread.labels.push(label.to_owned());
            self.tell_thread(
                repository,
                number,
                "labeled",
                by,
                json!({ "label": self.render_label(label) }),
            )?;
        }
        Ok(())
    }

    pub fn unlabel(&mut self, repository: &str, number: u64, label: &str, by: &str) -> Outcome<()> {
        let thread = self.thread_mut(repository, number)?;
        let count = thread.labels.len();
        thread.labels.retain(|given| given != label);
        if thread.labels.len() < count {
            self.tell_thread(
                repository,
                number,
                "unlabeled",
                by,
                json!({ "label": self.render_label(label) }),
            )?;
        }
        Ok(())
    }

    pub fn assign(&mut self, repository: &str, number: u64, assignee: &str, by: &str) -> Outcome<()> {
        let user = self.render_user(assignee);
        let thread = self.thread_mut(repository, number)?;
        if !thread.assignees.iter().any(|given| given == assignee) {
            thread.assignees.push(assignee.to_owned());
            self.tell_thread(repository, number, "assigned", by, json!({ "assignee": user }))?;
        }
        Ok(())
    }

    /// Each part of the change is told by an event of its own, as GitHub does.
    pub fn change_issue(
        &mut self,
        repository: &str,
        number: u64,
        change: IssueChange,
        by: &str,
    ) -> Outcome<()> {
        let thread = self.thread_mut(repository, number)?;
        let mut changes = Map::new();
        if let Some(title) = change.title.filter(|title| *title != thread.title) {
            changes.insert("title".into(), json!({ "from": std::mem::replace(&mut thread.title, title) }));
        }
        if let Some(body) = change.body.filter(|body| *body != thread.body) {
            changes.insert("body".into(), json!({ "from": std::mem::replace(&mut thread.body, body) }));
        }
        thread.updated_at = Utc::now();
        if !changes.is_empty() {
            self.tell_thread(repository, number, "edited", by, json!({ "changes": changes }))?;
        }
        match change.state.as_deref() {
            None => {}
            Some("open") => self.set_progress(repository, number, Progress::Open, by)?,
            Some("closed") => self.set_progress(repository, number, Progress::Closed, by)?,
            Some(_) => return Err(Refusal::field("Issue", "state", "invalid")),
        }
        if let Some(labels) = change.labels {
            let gone = self.thread(repository, number)?.labels.clone();
            for label in gone.iter().filter(|label| !labels.contains(label)) {
                self.unlabel(repository, number, label, by)?;
            }
            for label in &labels {
                self.label(repository, number, label, by)?;
            }
        }
        for assignee in change.assignees.unwrap_or_default() {
            self.assign(repository, number, &assignee, by)?;
        }
        Ok(())
    }

    pub fn set_progress(
        &mut self,
        repository: &str,
        number: u64,
        progress: Progress,
        by: &str,
    ) -> Outcome<()> {
        let open = progress == Progress::Open;
        let thread = self.thread_mut(repository, number)?;
        if thread.open != open {
            thread.open = open;
            let action = if open { "reopened" } else { "closed" };
            self.tell_thread(repository, number, action, by, json!({}))?;
        }
        Ok(())
    }

    /// `true` where it is new: the same person's same reaction is only kept once.
    pub fn react(
        &mut self,
        repository: &str,
        target: Target,
        user: &str,
        content: &str,
    ) -> Outcome<(Reaction, bool)> {
        if !REACTIONS.contains(&content) {
            return Err(Refusal::field("Reaction", "content", "invalid"));
        }
        let id = self.next_id();
        let reactions = self.reactions_mut(repository, target)?;
        if let Some(given) = reactions.iter().find(|given| given.user == user && given.content == content) {
            return Ok((given.clone(), false));
        }
        let reaction =
            Reaction { id, user: user.to_owned(), content: content.to_owned(), created_at: Utc::now() };
        reactions.push(reaction.clone());
        Ok((reaction, true))
    }

    pub fn reactions_mut(&mut self, repository: &str, target: Target) -> Outcome<&mut Vec<Reaction>> {
        let mut threads = self.repository_mut(repository)?.threads.values_mut();
        match target {
            Target::Thread(number) => {
                threads.find(|thread| thread.number == number).map(|thread| &mut thread.reactions)
            }
            Target::Comment(id) => threads
                .flat_map(|thread| thread.comments.iter_mut())
                .find(|comment| comment.id == id)
                .map(|comment| &mut comment.reactions),
            Target::ReviewComment(id) => threads
                .filter_map(|thread| thread.pull.as_mut())
                .flat_map(|pull| pull.review_comments.iter_mut())
                .find(|comment| comment.id == id)
                .map(|comment| &mut comment.reactions),
        }
        .ok_or_else(Refusal::not_found)
    }

    /// Tells of an issue as `issues`, and of a pull request as `pull_request`.
    pub fn tell_thread(
        &mut self,
        repository: &str,
        number: u64,
        action: &str,
        sender: &str,
        extra: Value,
    ) -> Outcome<()> {
        let thread = self.thread(repository, number)?;
        let (name, mut payload) = if thread.pull.is_some() {
            let pull = self.render_pull(repository, number)?;
            ("pull_request", json!({ "number": number, "pull_request": pull }))
        } else {
            ("issues", json!({ "issue": self.render_issue(repository, number)? }))
        };
        add(&mut payload, extra);
        self.fire(Event { name, action: Some(action), repository: Some(repository), sender, payload });
        Ok(())
    }

    fn tell_comment(
        &mut self,
        repository: &str,
        number: u64,
        id: u64,
        action: &str,
        sender: &str,
        extra: Value,
    ) -> Outcome<()> {
        let (_, comment) = self.find_comment(repository, id)?;
        let mut payload = json!({
            "issue": self.render_issue(repository, number)?,
            "comment": self.render_comment(repository, number, comment),
        });
        add(&mut payload, extra);
        self.fire(Event {
            name: "issue_comment",
            action: Some(action),
            repository: Some(repository),
            sender,
            payload,
        });
        Ok(())
    }
}

/// The one object's fields to the other's.
pub(crate) fn add(payload: &mut Value, extra: Value) {
    if let (Some(payload), Value::Object(extra)) = (payload.as_object_mut(), extra) {
        payload.extend(extra);
    }
}
