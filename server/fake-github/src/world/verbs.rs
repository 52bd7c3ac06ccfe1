//! The verbs that arrange the world and make things happen in it, as people and other programs would.

use chrono::Utc;

use super::{
    AccountKind, App, CheckChange, OauthClient, Outcome, PlainHook, Progress, PullChange, Role, Sending,
    Token, Use, World,
};
use crate::git::{self, Change};

/// What an arrangement must not get wrong.
#[track_caller]
pub(super) fn arranged<T>(outcome: Outcome<T>) -> T {
    match outcome {
        Ok(value) => value,
        Err(refusal) => panic!("the fake GitHub's world cannot be arranged so: {refusal:?}"),
    }
}

impl World {
    pub fn add_user(&self, login: &str) {
        self.lock().ensure_account(login, AccountKind::User);
    }

    pub fn add_org(&self, login: &str, members: &[&str]) {
        let mut state = self.lock();
        for member in members {
            state.ensure_account(member, AccountKind::User);
        }
        let org = state.ensure_account(login, AccountKind::Organization);
        org.kind = AccountKind::Organization;
        org.members.extend(members.iter().map(|&member| member.to_owned()));
    }

    pub fn leave_org(&self, org: &str, member: &str) {
        self.lock().ensure_account(org, AccountKind::Organization).members.remove(member);
    }

    pub fn add_team(&self, org: &str, slug: &str, members: &[&str]) {
        self.add_org(org, members);
        let mut state = self.lock();
        let team =
            state.ensure_account(org, AccountKind::Organization).teams.entry(slug.to_owned()).or_default();
        team.extend(members.iter().map(|&member| member.to_owned()));
    }

    /// `OWNER/NAME`, public, with a first commit on `main`.
    #[track_caller]
    pub fn add_repository(&self, full_name: &str) {
        arranged(self.lock().add_repository(full_name));
    }

    /// Gives it another name, with the same owner.
    #[track_caller]
    pub fn rename_repository(&self, full_name: &str, name: &str, by: &str) {
        arranged(self.lock().rename_repository(full_name, name, by));
    }

    /// Takes every token of an installation back.
    pub fn revoke_installation_tokens(&self) {
        self.lock().tokens.retain(|_, token| matches!(token, Token::User { .. }));
    }

    #[track_caller]
    pub fn make_private(&self, repository: &str) {
        arranged(self.lock().repository_mut(repository)).private = true;
    }

    /// `admin`, `maintain`, `write`, `triage`, `read` or `none`; what is public can be read by all regardless.
    #[track_caller]
    pub fn set_permission(&self, repository: &str, login: &str, permission: &str) {
        let Some(role) = Role::parse(permission) else { panic!("there is no permission {permission:?}") };
        let mut state = self.lock();
        state.ensure_account(login, AccountKind::User);
        arranged(state.repository_mut(repository)).roles.insert(login.to_lowercase(), role);
    }

    /// Commits files to a branch without any event, as it is before the story begins, and says the commit's name.
    #[track_caller]
    pub fn commit(&self, repository: &str, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        let state = self.lock();
        let found = arranged(state.repository(repository));
        let change =
            Change { branch, from: Some(&found.default_branch), author: &found.owner, message, files };
        arranged(git::commit(&state.bare(repository), &change))
    }

    /// The same as a push by somebody, which is told to all.
    #[track_caller]
    pub fn push(
        &self,
        repository: &str,
        branch: &str,
        by: &str,
        message: &str,
        files: &[(&str, &str)],
    ) -> String {
        const NOTHING: &str = "0000000000000000000000000000000000000000";
        let before = self.branch(repository, branch).unwrap_or_else(|| NOTHING.to_owned());
        let after = self.commit(repository, branch, message, files);
        arranged(self.lock().pushed(repository, branch, &before, &after, by));
        after
    }

    #[track_caller]
    pub fn open_issue(&self, repository: &str, author: &str, title: &str, body: &str) -> u64 {
        arranged(self.lock().open_issue(repository, author, title, body))
    }

    #[track_caller]
    pub fn transfer_issue(&self, from: &str, number: u64, to: &str, by: &str) -> u64 {
        arranged(self.lock().transfer_issue(from, number, to, by))
    }

    /// From a branch of the repository, which is made with a commit where there is none.
    #[track_caller]
    pub fn open_pull(
        &self,
        repository: &str,
        author: &str,
        title: &str,
        body: &str,
        head_branch: &str,
        base: &str,
    ) -> u64 {
        let mut state = self.lock();
        arranged(state.ensure_branch(repository, head_branch, base, author));
        let wanted = PullChange {
            author,
            title,
            body,
            head_repository: repository,
            head: head_branch,
            base,
            draft: false,
        };
        arranged(state.open_pull(repository, &wanted))
    }

    /// From the author's fork, which is made where there is none.
    #[track_caller]
    pub fn open_fork_pull(
        &self,
        repository: &str,
        author: &str,
        title: &str,
        body: &str,
        head_branch: &str,
        base: &str,
    ) -> u64 {
        let mut state = self.lock();
        state.ensure_account(author, AccountKind::User);
        let fork = arranged(state.ensure_fork(repository, author));
        arranged(state.ensure_branch(&fork, head_branch, base, author));
        let wanted =
            PullChange { author, title, body, head_repository: &fork, head: head_branch, base, draft: false };
        arranged(state.open_pull(repository, &wanted))
    }

    /// As its author does with "Allow edits by maintainers".
    #[track_caller]
    pub fn let_maintainers_edit(&self, repository: &str, pull: u64, allowed: bool) {
        arranged(self.lock().pull_mut(repository, pull)).maintainer_can_modify = allowed;
    }

    #[track_caller]
    pub fn comment(&self, repository: &str, number: u64, author: &str, body: &str) -> u64 {
        arranged(self.lock().comment(repository, number, author, body))
    }

    #[track_caller]
    pub fn edit_comment(&self, repository: &str, comment: u64, by: &str, body: &str) {
        arranged(self.lock().edit_comment(repository, comment, by, body));
    }

    #[track_caller]
    pub fn delete_comment(&self, repository: &str, comment: u64, by: &str) {
        arranged(self.lock().delete_comment(repository, comment, by));
    }

    /// `approve`, `request_changes` or `comment`.
    #[track_caller]
    pub fn review(&self, repository: &str, number: u64, author: &str, body: &str, state: &str) -> u64 {
        arranged(self.lock().review(repository, number, author, body, state))
    }

    #[track_caller]
    pub fn review_comment(
        &self,
        repository: &str,
        number: u64,
        author: &str,
        body: &str,
        path: &str,
        diff_hunk: &str,
    ) -> u64 {
        arranged(self.lock().review_comment(repository, number, author, body, path, diff_hunk))
    }

    #[track_caller]
    pub fn label(&self, repository: &str, number: u64, label: &str, by: &str) {
        arranged(self.lock().label(repository, number, label, by));
    }

    #[track_caller]
    pub fn unlabel(&self, repository: &str, number: u64, label: &str, by: &str) {
        arranged(self.lock().unlabel(repository, number, label, by));
    }

    #[track_caller]
    pub fn assign(&self, repository: &str, number: u64, assignee: &str, by: &str) {
        arranged(self.lock().assign(repository, number, assignee, by));
    }

    /// An issue or a pull request.
    #[track_caller]
    pub fn close(&self, repository: &str, number: u64, by: &str) {
        arranged(self.lock().set_progress(repository, number, Progress::Closed, by));
    }

    #[track_caller]
    pub fn reopen(&self, repository: &str, number: u64, by: &str) {
        arranged(self.lock().set_progress(repository, number, Progress::Open, by));
    }

    #[track_caller]
    pub fn merge(&self, repository: &str, number: u64, by: &str) -> String {
        arranged(self.lock().merge_pull(repository, number, by))
    }

    /// A check of some app, such as `github-actions`, that ends at once.
    #[track_caller]
    pub fn complete_check(
        &self,
        repository: &str,
        head_sha: &str,
        name: &str,
        conclusion: &str,
        app_slug: &str,
    ) -> u64 {
        let change = CheckChange {
            name: Some(name.to_owned()),
            head_sha: Some(head_sha.to_owned()),
            conclusion: Some(conclusion.to_owned()),
            ..CheckChange::default()
        };
        let mut state = self.lock();
        let bot = format!("{app_slug}[bot]");
        state.ensure_account(&bot, AccountKind::Bot);
        arranged(state.create_check(repository, app_slug, &bot, change))
    }

    /// For tests that need no manifest; says the app's number. Its private key is `APP_PRIVATE_KEY`.
    pub fn add_app(&self, app: App) -> u64 {
        self.lock().add_app(app)
    }

    /// By the app's number or slug, on repositories of one owner, or on more of them; says the installation's number.
    #[track_caller]
    pub fn install_app(&self, app: impl ToString, repositories: &[&str]) -> u64 {
        let names: Vec<String> = repositories.iter().map(|&name| name.to_owned()).collect();
        let Some((owner, _)) = names.first().and_then(|name| name.split_once('/')) else {
            panic!("an app is installed on at least one OWNER/NAME")
        };
        arranged(self.lock().install(&app.to_string(), owner, &names, owner))
    }

    #[track_caller]
    pub fn uninstall_app(&self, installation: u64, by: &str) {
        arranged(self.lock().uninstall(installation, by));
    }

    #[track_caller]
    pub fn remove_from_installation(&self, installation: u64, repository: &str, by: &str) {
        arranged(self.lock().remove_from_installation(installation, repository, by));
    }

    #[track_caller]
    pub fn suspend_installation(&self, installation: u64, by: &str) {
        arranged(self.lock().set_use(installation, Use::Suspended, by));
    }

    #[track_caller]
    pub fn unsuspend_installation(&self, installation: u64, by: &str) {
        arranged(self.lock().set_use(installation, Use::Allowed, by));
    }

    /// Narrows what an installation may do, as when its owner did not accept a permission.
    #[track_caller]
    pub fn revoke_permission(&self, installation: u64, permission: &str) {
        let mut state = self.lock();
        arranged(state.installation(installation));
        for found in state.installations.iter_mut().filter(|found| found.id == installation) {
            found.permissions.remove(permission);
        }
        for token in state.tokens.values_mut() {
            match token {
                Token::Installation(token) if token.installation == installation => {
                    token.permissions.remove(permission);
                }
                _ => {}
            }
        }
    }

    /// A client for signing in that is not an app; no callback allows any.
    pub fn add_oauth_client(&self, id: &str, secret: &str, callback_urls: &[&str]) {
        self.lock().clients.push(OauthClient {
            id: id.to_owned(),
            secret: secret.to_owned(),
            name: id.to_owned(),
            callback_urls: callback_urls.iter().map(|&url| url.to_owned()).collect(),
        });
    }

    /// Every event of a repository, to an address, without an app.
    #[track_caller]
    pub fn add_plain_webhook(&self, repository: &str, url: &str, secret: &str) -> u64 {
        let mut state = self.lock();
        let owner = arranged(state.repository(repository)).owner.clone();
        let hook = plain_hook(state.next_id(), url, secret);
        let id = hook.id;
        state.add_hook(repository, hook, &owner);
        id
    }

    /// The same for all repositories of an organisation.
    pub fn add_organization_webhook(&self, organization: &str, url: &str, secret: &str) -> u64 {
        let mut state = self.lock();
        let hook = plain_hook(state.next_id(), url, secret);
        let id = hook.id;
        state.ensure_account(organization, AccountKind::Organization).hooks.push(hook);
        id
    }

    /// Lets a token look at the webhooks of its person's organisations.
    pub fn let_see_organization_webhooks(&self, token: &str) {
        if let Some(Token::User { scopes, .. }) = self.lock().tokens.get_mut(token) {
            scopes.push("admin:org_hook".to_owned());
        }
    }

    /// A personal access token with all that this person may do.
    pub fn add_token(&self, login: &str, token: &str) {
        let mut state = self.lock();
        state.ensure_account(login, AccountKind::User);
        let scopes = ["repo", "read:org", "user:email"].map(str::to_owned).to_vec();
        state.tokens.insert(token.to_owned(), Token::User { login: login.to_owned(), scopes });
    }

    pub fn revoke_token(&self, token: &str) {
        self.lock().tokens.remove(token);
    }

    /// A token of an installation, as its app would ask for it.
    #[track_caller]
    pub fn installation_token(&self, installation: u64) -> String {
        let mut state = self.lock();
        let found = arranged(state.installation(installation)).clone();
        state.issue_token(installation, found.repositories, found.permissions).0
    }

    /// Sends no webhooks any more; each is recorded as failed.
    pub fn pause_webhooks(&self) {
        self.lock().sending = Sending::Paused;
    }

    pub fn resume_webhooks(&self) {
        self.lock().sending = Sending::On;
    }
}

/// A webhook that hears of everything.
fn plain_hook(id: u64, url: &str, secret: &str) -> PlainHook {
    PlainHook {
        id,
        url: url.to_owned(),
        secret: secret.to_owned(),
        events: vec!["*".to_owned()],
        active: true,
        created_at: Utc::now(),
    }
}
