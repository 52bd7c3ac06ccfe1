//! Check runs, and the suites that they make up.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Event, Outcome, State, stamp};
use crate::{git, refusal::Refusal};

#[derive(Clone, Debug)]
pub struct CheckRun {
    pub id: u64,
    pub suite: u64,
    pub name: String,
    pub head_sha: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    pub conclusion: Option<String>,
    /// Of the app that made it.
    pub app_slug: String,
    pub app_id: u64,
    pub details_url: Option<String>,
    pub external_id: String,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    /// As they were sent.
    pub annotations: Vec<Value>,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
}

/// What a `POST` or `PATCH` of a check run may bring.
#[derive(Default, serde::Deserialize)]
pub(crate) struct CheckChange {
    pub name: Option<String>,
    pub head_sha: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub details_url: Option<String>,
    pub external_id: Option<String>,
    pub output: Option<CheckOutput>,
}

#[derive(Default, serde::Deserialize)]
pub(crate) struct CheckOutput {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    #[serde(default)]
    pub annotations: Vec<Value>,
}

impl State {
    pub fn check(&self, repository: &str, id: u64) -> Outcome<&CheckRun> {
        self.repository(repository)?.checks.iter().find(|check| check.id == id).ok_or_else(Refusal::not_found)
    }

    /// A new run; checks of one app and commit share their suite.
    pub fn create_check(
        &mut self,
        repository: &str,
        app_slug: &str,
        sender: &str,
        change: CheckChange,
    ) -> Outcome<u64> {
        let missing = |field| Refusal::field("CheckRun", field, "missing_field");
        let name = change.name.clone().ok_or_else(|| missing("name"))?;
        let head_sha = change.head_sha.clone().ok_or_else(|| missing("head_sha"))?;
        let (id, fresh) = (self.next_id(), self.next_id());
        // The number that Actions has at GitHub stands for whatever app is not known here.
        let app_id = self.apps.iter().find(|app| app.slug == app_slug).map_or(15_368, |app| app.id);
        let checks = &mut self.repository_mut(repository)?.checks;
        let suite = checks
            .iter()
            .find(|check| check.head_sha == head_sha && check.app_slug == app_slug)
            .map_or(fresh, |check| check.suite);
        checks.push(CheckRun {
            id,
            suite,
            name,
            head_sha,
            status: "queued".to_owned(),
            conclusion: None,
            app_slug: app_slug.to_owned(),
            app_id,
            details_url: None,
            external_id: String::new(),
            title: None,
            summary: None,
            text: None,
            annotations: Vec::new(),
            started_at: Utc::now(),
            completed_at: None,
        });
        self.tell_check(repository, id, "created", sender)?;
        self.change_check(repository, id, sender, change)?;
        Ok(id)
    }

    pub fn change_check(
        &mut self,
        repository: &str,
        id: u64,
        sender: &str,
        change: CheckChange,
    ) -> Outcome<()> {
        let checks = &mut self.repository_mut(repository)?.checks;
        let check = checks.iter_mut().find(|check| check.id == id).ok_or_else(Refusal::not_found)?;
        let was_completed = check.status == "completed";
        check.name = change.name.unwrap_or_else(|| check.name.clone());
        check.details_url = change.details_url.or(check.details_url.take());
        check.external_id = change.external_id.unwrap_or_else(|| check.external_id.clone());
        if let Some(output) = change.output {
            check.title = output.title.or(check.title.take());
            check.summary = output.summary.or(check.summary.take());
            check.text = output.text.or(check.text.take());
            check.annotations.extend(output.annotations);
        }
        if let Some(status) = change.status {
            if status == "completed" && change.conclusion.is_none() && check.conclusion.is_none() {
                return Err(Refusal::field("CheckRun", "conclusion", "missing_field"));
            }
            check.status = status;
        }
        if let Some(conclusion) = change.conclusion {
            // A conclusion completes, as the documentation says.
            check.status = "completed".to_owned();
            check.conclusion = Some(conclusion);
            check.completed_at = Some(Utc::now());
        }
        if check.status == "completed" && !was_completed {
            let suite = check.suite;
            self.tell_check(repository, id, "completed", sender)?;
            self.tell_suite(repository, suite, sender)?;
        }
        Ok(())
    }

    fn tell_check(&mut self, repository: &str, id: u64, action: &str, sender: &str) -> Outcome<()> {
        let payload = json!({ "check_run": self.render_check(repository, self.check(repository, id)?) });
        self.fire(Event {
            name: "check_run",
            action: Some(action),
            repository: Some(repository),
            sender,
            payload,
        });
        Ok(())
    }

    /// Once nothing of it is under way any more.
    fn tell_suite(&mut self, repository: &str, suite: u64, sender: &str) -> Outcome<()> {
        let checks = &self.repository(repository)?.checks;
        if checks.iter().any(|check| check.suite == suite && check.status != "completed") {
            return Ok(());
        }
        let payload = json!({ "check_suite": self.render_suite(repository, suite) });
        self.fire(Event {
            name: "check_suite",
            action: Some("completed"),
            repository: Some(repository),
            sender,
            payload,
        });
        Ok(())
    }

    pub fn render_check(&self, repository: &str, check: &CheckRun) -> Value {
        let name = self.repository(repository).map(super::Repository::full_name).unwrap_or_default();
        let url = format!("{}/repos/{name}/check-runs/{}", self.api_url(), check.id);
        let html_url = format!("{}/{name}/runs/{}", self.url, check.id);
        json!({
            "id": check.id, "node_id": format!("CR_{}", check.id), "name": check.name, "head_sha": check.head_sha,
            "external_id": check.external_id, "url": url, "html_url": html_url,
            "details_url": check.details_url.as_deref().unwrap_or(&html_url),
            "status": check.status, "conclusion": check.conclusion,
            "started_at": stamp(check.started_at), "completed_at": check.completed_at.map(stamp),
            "output": {
                "title": check.title, "summary": check.summary, "text": check.text,
                "annotations_count": check.annotations.len(), "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": self.render_suite(repository, check.suite),
            "app": self.render_check_app(check),
            "pull_requests": self.pulls_of(repository, &check.head_sha),
        })
    }

    fn render_suite(&self, repository: &str, suite: u64) -> Value {
        let checks = self.repository(repository).map(|found| found.checks.as_slice()).unwrap_or_default();
        let checks: Vec<_> = checks.iter().filter(|check| check.suite == suite).collect();
        let Some(first) = checks.first() else { return json!({ "id": suite }) };
        let completed = checks.iter().all(|check| check.status == "completed");
        let bad = checks
            .iter()
            .filter_map(|check| check.conclusion.as_deref())
            .find(|conclusion| !matches!(*conclusion, "success" | "neutral" | "skipped"));
        let pulls = self.pulls_of(repository, &first.head_sha);
        let head_branch = match pulls.first() {
            Some(pull) => pull["head"]["ref"].as_str().map(str::to_owned),
            None => self.branch_at(repository, &first.head_sha),
        };
        json!({
            "id": suite, "node_id": format!("CS_{suite}"), "head_sha": first.head_sha,
            "head_branch": head_branch,
            "status": if completed { "completed" } else { "in_progress" },
            "conclusion": completed.then_some(bad.unwrap_or("success")),
            "pull_requests": pulls, "app": self.render_check_app(first),
            "latest_check_runs_count": checks.len(),
        })
    }

    fn branch_at(&self, repository: &str, sha: &str) -> Option<String> {
        let branches = git::branches(&self.bare(repository));
        branches.into_iter().find(|(_, tip)| tip == sha).map(|(branch, _)| branch)
    }

    fn render_check_app(&self, check: &CheckRun) -> Value {
        json!({ "id": check.app_id, "slug": check.app_slug, "name": check.app_slug, "owner": { "login": "fake-github" } })
    }

    /// The open pull requests whose head this commit is, in the short form that checks carry.
    fn pulls_of(&self, repository: &str, sha: &str) -> Vec<Value> {
        let Ok(found) = self.repository(repository) else { return Vec::new() };
        found
            .threads
            .values()
            .filter_map(|thread| thread.pull.as_ref().filter(|_| thread.open).map(|pull| (thread, pull)))
            // GitHub leaves those from forks out.
            .filter(|(_, pull)| pull.head_sha == sha && pull.head_repository == found.full_name())
            .map(|(thread, pull)| {
                json!({
                    "id": thread.id, "number": thread.number,
                    "url": format!("{}/repos/{}/pulls/{}", self.api_url(), found.full_name(), thread.number),
                    "head": { "ref": pull.head_branch, "sha": pull.head_sha, "repo": { "id": found.id, "name": found.name } },
                    "base": { "ref": pull.base, "sha": pull.base_sha, "repo": { "id": found.id, "name": found.name } },
                })
            })
            .collect()
    }
}
