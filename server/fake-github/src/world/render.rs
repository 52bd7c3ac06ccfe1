//! Accounts, repositories and threads as the API and the webhooks write them.

use serde_json::{Value, json};

use super::{
    AccountKind, Comment, Outcome, Reaction, Repository, Review, ReviewComment, Role, State, Thread, stamp,
};
use crate::{git, refusal::Refusal};

impl State {
    pub fn render_user(&self, login: &str) -> Value {
        let account = self.accounts.get(&login.to_lowercase());
        let kind = account.map_or(AccountKind::User, |account| account.kind);
        let login = account.map_or(login, |account| account.login.as_str());
        let api = self.api_url();
        let page = match kind {
            AccountKind::Bot => format!("{}/apps/{}", self.url, login.trim_end_matches("[bot]")),
            _ => format!("{}/{login}", self.url),
        };
        let id = account.map_or(0, |account| account.id);
        json!({
            "login": login, "id": id, "node_id": format!("U_{id}"), "type": kind.as_str(), "site_admin": false,
            "avatar_url": format!("{}/avatars/u/{id}", self.url), "html_url": page,
            "url": format!("{api}/users/{login}"),
        })
    }

    pub fn render_repository_short(&self, name: &str) -> Value {
        let Ok(found) = self.repository(name) else { return json!({ "full_name": name }) };
        json!({
            "id": found.id, "node_id": format!("R_{}", found.id), "name": found.name,
            "full_name": found.full_name(), "private": found.private,
        })
    }

    pub fn render_repository(&self, name: &str) -> Value {
        let Ok(found) = self.repository(name) else { return Value::Null };
        let full_name = found.full_name();
        let open = found.threads.values().filter(|thread| thread.open).count();
        json!({
            "id": found.id, "node_id": format!("R_{}", found.id), "name": found.name, "full_name": full_name,
            "private": found.private, "visibility": if found.private { "private" } else { "public" },
            "owner": self.render_user(&found.owner), "description": null, "fork": found.fork_of.is_some(),
            "url": format!("{}/repos/{full_name}", self.api_url()), "html_url": format!("{}/{full_name}", self.url),
            "clone_url": format!("{}/{full_name}.git", self.url), "git_url": format!("{}/{full_name}.git", self.url),
            "ssh_url": format!("git@127.0.0.1:{full_name}.git"),
            "default_branch": found.default_branch, "archived": false, "disabled": false,
            "has_issues": true, "open_issues_count": open, "open_issues": open,
            "created_at": stamp(found.created_at), "updated_at": stamp(found.created_at),
            "pushed_at": stamp(found.created_at),
        })
    }

    /// As somebody sees it who has this role.
    pub fn render_repository_for(&self, name: &str, role: Option<Role>) -> Value {
        let mut repository = self.render_repository(name);
        if let Some(role) = role {
            repository["permissions"] = json!({
                "admin": role >= Role::Admin, "maintain": role >= Role::Maintain, "push": role >= Role::Write,
                "triage": role >= Role::Triage, "pull": role >= Role::Read,
            });
        }
        if let Ok(Repository { fork_of: Some(parent), .. }) = self.repository(name) {
            repository["parent"] = self.render_repository(parent);
            repository["source"] = self.render_repository(parent);
        }
        repository
    }

    pub fn render_label(&self, label: &str) -> Value {
        json!({ "id": label.len(), "name": label, "color": "ededed", "default": false, "description": null })
    }

    pub fn render_issue(&self, repository: &str, number: u64) -> Outcome<Value> {
        let found = self.repository(repository)?;
        let thread = found.threads.get(&number).ok_or_else(Refusal::not_found)?;
        let name = found.full_name();
        let mut issue = self.render_thread(&name, thread, "issues");
        issue["repository_url"] = json!(format!("{}/repos/{name}", self.api_url()));
        issue["reactions"] = json!({ "total_count": thread.reactions.len() });
        if let Some(pull) = &thread.pull {
            let page = format!("{}/{name}/pull/{number}", self.url);
            issue["html_url"] = json!(page);
            issue["draft"] = json!(pull.draft);
            issue["pull_request"] = json!({
                "url": format!("{}/repos/{name}/pulls/{number}", self.api_url()), "html_url": page,
                "diff_url": format!("{page}.diff"), "merged_at": pull.merged_at.map(stamp),
            });
        }
        Ok(issue)
    }

    /// What an issue and a pull request have in common.
    fn render_thread(&self, name: &str, thread: &Thread, kind: &str) -> Value {
        let api = format!("{}/repos/{name}", self.api_url());
        let number = thread.number;
        let users =
            |logins: &[String]| logins.iter().map(|login| self.render_user(login)).collect::<Vec<_>>();
        let closed_at = (!thread.open).then(|| stamp(thread.updated_at));
        json!({
            "id": thread.id, "node_id": format!("I_{}", thread.id), "number": number, "title": thread.title,
            "body": thread.body, "user": self.render_user(&thread.author),
            "author_association": self.association(name, &thread.author),
            "labels": thread.labels.iter().map(|label| self.render_label(label)).collect::<Vec<_>>(),
            "assignees": users(&thread.assignees),
            "assignee": thread.assignees.first().map(|login| self.render_user(login)),
            "state": if thread.open { "open" } else { "closed" },
            "state_reason": if thread.open { None } else { Some("completed") },
            "locked": false, "comments": thread.comments.len(), "milestone": null,
            "url": format!("{api}/{kind}/{number}"), "html_url": format!("{}/{name}/issues/{number}", self.url),
            "comments_url": format!("{api}/issues/{number}/comments"),
            "created_at": stamp(thread.created_at), "updated_at": stamp(thread.updated_at), "closed_at": closed_at,
        })
    }

    pub fn render_pull(&self, repository: &str, number: u64) -> Outcome<Value> {
        let found = self.repository(repository)?;
        let thread = found.threads.get(&number).ok_or_else(Refusal::not_found)?;
        let pull = thread.pull.as_ref().ok_or_else(Refusal::not_found)?;
        let name = found.full_name();
        let page = format!("{}/{name}/pull/{number}", self.url);
        let side = |repository: &str, branch: &str, sha: &str| {
            let owner = repository.split('/').next().unwrap_or_default();
            json!({
                "label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "user": self.render_user(owner),
                "repo": self.render_repository(repository),
            })
        };
        let bare = self.bare(repository);
        let range = format!("{}..{}", pull.base_sha, pull.head_sha);
        let from =
            git::merge_base(&bare, &pull.base_sha, &pull.head_sha).unwrap_or_else(|| pull.base_sha.clone());
        let files = git::file_changes(&bare, &from, &pull.head_sha);
        let mut rendered = self.render_thread(&name, thread, "pulls");
        super::add(
            &mut rendered,
            json!({
                "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
                "issue_url": format!("{}/repos/{name}/issues/{number}", self.api_url()),
                "head": side(&pull.head_repository, &pull.head_branch, &pull.head_sha),
                "base": side(&name, &pull.base, &pull.base_sha),
                "draft": pull.draft, "merged": pull.merged_at.is_some(), "merged_at": pull.merged_at.map(stamp),
                "merge_commit_sha": pull.merge_sha, "mergeable": true, "mergeable_state": "clean",
                "maintainer_can_modify": pull.maintainer_can_modify, "requested_reviewers": [], "requested_teams": [],
                "review_comments": pull.review_comments.len(), "commits": git::count(&bare, &range),
                "changed_files": files.len(),
                "additions": files.iter().map(|file| file.additions).sum::<usize>(),
                "deletions": files.iter().map(|file| file.deletions).sum::<usize>(),
            }),
        );
        Ok(rendered)
    }

    pub fn render_comment(&self, repository: &str, number: u64, comment: &Comment) -> Value {
        let name = self.repository(repository).map(Repository::full_name).unwrap_or_default();
        let kind = if self.pull(repository, number).is_ok() { "pull" } else { "issues" };
        let api = format!("{}/repos/{name}/issues", self.api_url());
        json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id), "body": comment.body,
            "user": self.render_user(&comment.author),
            "author_association": self.association(repository, &comment.author),
            "url": format!("{api}/comments/{}", comment.id), "issue_url": format!("{api}/{number}"),
            "html_url": format!("{}/{name}/{kind}/{number}#issuecomment-{}", self.url, comment.id),
            "created_at": stamp(comment.created_at), "updated_at": stamp(comment.updated_at),
            "reactions": { "total_count": comment.reactions.len() }, "performed_via_github_app": null,
        })
    }

    pub fn render_review(&self, repository: &str, number: u64, review: &Review) -> Value {
        let name = self.repository(repository).map(Repository::full_name).unwrap_or_default();
        json!({
            "id": review.id, "node_id": format!("PRR_{}", review.id), "body": review.body, "state": review.state,
            "user": self.render_user(&review.author), "commit_id": review.sha,
            "author_association": self.association(repository, &review.author),
            "html_url": format!("{}/{name}/pull/{number}#pullrequestreview-{}", self.url, review.id),
            "pull_request_url": format!("{}/repos/{name}/pulls/{number}", self.api_url()),
            "submitted_at": stamp(review.submitted_at),
        })
    }

    pub fn render_review_comment(&self, repository: &str, number: u64, comment: &ReviewComment) -> Value {
        let name = self.repository(repository).map(Repository::full_name).unwrap_or_default();
        json!({
            "id": comment.id, "node_id": format!("PRRC_{}", comment.id), "pull_request_review_id": comment.review,
            "body": comment.body, "path": comment.path, "diff_hunk": comment.diff_hunk, "commit_id": comment.sha,
            "original_commit_id": comment.sha, "user": self.render_user(&comment.author), "side": "RIGHT",
            "line": 1, "author_association": self.association(repository, &comment.author),
            "url": format!("{}/repos/{name}/pulls/comments/{}", self.api_url(), comment.id),
            "pull_request_url": format!("{}/repos/{name}/pulls/{number}", self.api_url()),
            "html_url": format!("{}/{name}/pull/{number}#discussion_r{}", self.url, comment.id),
            "created_at": stamp(comment.created_at), "updated_at": stamp(comment.created_at),
            "reactions": { "total_count": comment.reactions.len() },
        })
    }

    pub fn render_reaction(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id, "node_id": format!("REA_{}", reaction.id), "user": self.render_user(&reaction.user),
            "content": reaction.content, "created_at": stamp(reaction.created_at),
        })
    }
}
