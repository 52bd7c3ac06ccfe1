//! What an event asks of Millrace, told from the event alone.

use crate::github::{
    event::{Check, Event, Thread, What},
    mention::{self, Command, Mention, Mistake},
};

/// What every comment of Millrace's own carries, where no reader sees it.
pub(super) const MARK: &str = "<!-- millrace:";

#[derive(Clone, Debug)]
pub(super) enum Wish<'a> {
    /// Nothing, for this reason.
    Nothing(String),
    /// A job.
    Work {
        thread: &'a Thread,
        ask: mention::Ask,
        reason: Reason,
    },
    Command {
        thread: &'a Thread,
        command: Command,
    },
    /// It cannot be understood.
    Mistake {
        thread: &'a Thread,
        mistake: Mistake,
    },
    /// A check failed: one more round, if the branch is Millrace's.
    Round(&'a Check),
}

/// Why there is to be a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody said so.
    Mentioned,
    /// The issue or pull request is new, and says so.
    Opened,
    /// It was labelled or assigned.
    Given,
    /// A review wants changes: only for pull requests of Millrace's.
    Reviewed,
}

/// What somebody calls Millrace by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// Without the @.
    pub mention: &'a str,
    pub label: &'a str,
    /// Millrace's own account.
    pub login: &'a str,
}

impl Names<'_> {
    fn is_own(&self, login: &str) -> bool {
        let own = self.login.strip_suffix("[bot]").unwrap_or(self.login);
        [self.login, own].iter().any(|name| name.eq_ignore_ascii_case(login))
    }
}

pub(super) fn wish<'a>(event: &'a Event, names: Names<'_>) -> Wish<'a> {
    match &event.what {
        What::Comment { thread, comment } => {
            if comment.before.as_deref().is_some_and(|before| mention::find(before, names.mention).is_some())
            {
                return Wish::Nothing("It mentioned Millrace before it was edited.".to_owned());
            }
            said(thread, &comment.body, Reason::Mentioned, names)
        }
        What::ReviewComment { thread, comment, .. } => said(thread, &comment.body, Reason::Mentioned, names),
        // An issue that is moved here is new here, and whoever moves it did not write it.
        What::Opened(thread)
            if event
                .sender
                .as_ref()
                .is_none_or(|sender| !sender.login.eq_ignore_ascii_case(&thread.author)) =>
        {
            Wish::Nothing("It came from elsewhere, and not from whoever wrote it.".to_owned())
        }
        What::Opened(thread) => said(thread, &thread.body, Reason::Opened, names),
        What::Review { thread, review } => match said(thread, &review.body, Reason::Mentioned, names) {
            Wish::Nothing(_)
                if review.state.eq_ignore_ascii_case("changes_requested") && !review.body.contains(MARK) =>
            {
                Wish::Work { thread, ask: mention::Ask::default(), reason: Reason::Reviewed }
            }
            wish => wish,
        },
        What::Labeled { thread, label } if label.eq_ignore_ascii_case(names.label) => {
            Wish::Work { thread, ask: mention::Ask::default(), reason: Reason::Given }
        }
        What::Labeled { label, .. } => {
            Wish::Nothing(format!("The label {label} is not the one that makes jobs, {}.", names.label))
        }
        What::Assigned { thread, login } if names.is_own(login) => {
            Wish::Work { thread, ask: mention::Ask::default(), reason: Reason::Given }
        }
        What::Assigned { .. } => Wish::Nothing("It was assigned to somebody else.".to_owned()),
        What::CheckCompleted(check) if check.has_failed() => Wish::Round(check),
        What::CheckCompleted(_) => Wish::Nothing("The check did not fail.".to_owned()),
        What::Closed(_) => Wish::Nothing("Nothing is to be done when a pull request is closed.".to_owned()),
        What::Ping => Wish::Nothing("GitHub says that the webhook works.".to_owned()),
        What::InstallationChanged | What::Renamed { .. } | What::Other => {
            Wish::Nothing("Millrace does nothing for events of this kind.".to_owned())
        }
    }
}

fn said<'a>(thread: &'a Thread, text: &str, reason: Reason, names: Names<'_>) -> Wish<'a> {
    if text.contains(MARK) {
        return Wish::Nothing("Millrace wrote it itself.".to_owned());
    }
    match mention::find(text, names.mention) {
        None => Wish::Nothing(format!("It does not mention @{}.", names.mention)),
        Some(Ok(Mention::Ask(ask))) => Wish::Work { thread, ask, reason },
        Some(Ok(Mention::Command(command))) => Wish::Command { thread, command },
        Some(Err(mistake)) => Wish::Mistake { thread, mistake },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NAMES: Names<'static> =
        Names { mention: "millrace", label: "millrace", login: "orchard-mill[bot]" };

    fn event(name: &str, fields: Value) -> Event {
        Event::parse(name, fields.to_string().as_bytes()).unwrap()
    }

    fn kind(name: &str, fields: Value) -> String {
        let event = event(name, fields);
        match wish(&event, NAMES) {
            Wish::Nothing(why) => why,
            Wish::Work { reason, .. } => format!("{reason:?}"),
            Wish::Command { command, .. } => format!("{command:?}"),
            Wish::Mistake { .. } => "mistake".to_owned(),
            Wish::Round(_) => "round".to_owned(),
        }
    }

    #[test]
    fn each_event_asks_for_what_it_asks() {
        let issue = json!({ "number": 1, "title": "t", "body": "@millrace go" });
        let comment =
            |body: &str| json!({ "action": "created", "issue": issue, "comment": { "id": 1, "body": body } });
        assert_eq!(kind("issue_comment", comment("@millrace go")), "Mentioned");
        assert_eq!(kind("issue_comment", comment("@millrace status")), "Status");
        assert_eq!(kind("issue_comment", comment("@millrace x=1")), "mistake");
        assert!(kind("issue_comment", comment("@millrace go <!-- millrace:job=1 -->")).contains("itself"));
        assert!(kind("issue_comment", comment("hello")).contains("does not mention"));
        let mut opened = json!({ "action": "opened", "issue": issue, "sender": { "id": 1, "login": "ada" } });
        assert!(kind("issues", opened.clone()).contains("elsewhere"), "it was moved here");
        opened["issue"]["user"] = json!({ "id": 1, "login": "Ada" });
        assert_eq!(kind("issues", opened), "Opened");
        let labeled =
            |label: &str| json!({ "action": "labeled", "issue": issue, "label": { "name": label } });
        assert_eq!(kind("issues", labeled("Millrace")), "Given");
        assert!(kind("issues", labeled("bug")).contains("not the one"));
        let assigned = |login: &str| json!({ "action": "assigned", "issue": issue, "assignee": { "id": 1, "login": login } });
        assert_eq!(kind("issues", assigned("orchard-mill[bot]")), "Given");
        assert!(kind("issues", assigned("ada")).contains("somebody else"));
        let review = |state: &str| json!({ "action": "submitted", "pull_request": issue, "review": { "id": 1, "body": null, "state": state } });
        assert_eq!(kind("pull_request_review", review("changes_requested")), "Reviewed");
        assert!(kind("pull_request_review", review("approved")).contains("does not mention"));
        let edited = json!({
            "action": "edited", "issue": issue, "comment": { "id": 1, "body": "@millrace go on" },
            "changes": { "body": { "from": "@millrace go" } },
        });
        assert!(kind("issue_comment", edited).contains("before it was edited"));
    }
}
