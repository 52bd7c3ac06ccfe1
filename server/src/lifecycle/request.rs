//! From what somebody sent to a job that can be run: parsed once, here.

use app::model::{ApiError, JobId, Kind, NewJob, Person, Priority, Trigger};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    config::{Config, LimitsConfig, LocalRepositories, MOST_ATTEMPTS, is_local},
    db::{Conversation, NewJobRow, idempotency::RequestDigest},
    github::is_ref_name,
};

/// The longest heading of a job, in characters.
const TITLE_CHARS: usize = 100;
const LONGEST_BACKOFF_MS: u32 = 3_600_000;
const KEY_BYTES: usize = 255;
const LATEST_START: TimeDelta = TimeDelta::days(366);

/// What this installation accepts.
#[derive(Clone, Debug)]
pub struct RequestRules {
    pub limits: LimitsConfig,
    pub local_repositories: LocalRepositories,
    pub max_attempts: u32,
    pub backoff_ms: u32,
    /// The agents that can be asked for, the one for requests that name none first.
    pub agents: Vec<String>,
}

impl RequestRules {
    pub fn new(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            local_repositories: config.runner.local_repositories,
            max_attempts: config.queue.max_attempts,
            backoff_ms: config.queue.backoff_ms,
            agents: config.agents.names(),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
enum Work {
    Command { script: String },
    Agent { agent: String, model: Option<String>, prompt: String },
}

impl Work {
    /// The first line that says something.
    fn title(&self) -> String {
        match self {
            Self::Command { script } => title(script),
            // A heading is no comment in a prompt.
            Self::Agent { prompt, .. } => title(prompt.trim_start_matches(['#', '\n', ' '])),
        }
    }
}

/// A request that can be run. Only [`JobRequest::parse`] makes one.
#[derive(Clone, Debug)]
pub struct JobRequest {
    kind: Kind,
    priority: Priority,
    max_attempts: u32,
    backoff_ms: u32,
    title: String,
    repository: String,
    git_ref: Option<String>,
    work: Work,
    conversation: Option<Conversation>,
    branch: Option<String>,
    run_at: Option<DateTime<Utc>>,
    trigger: Trigger,
    key: Option<String>,
    digest: RequestDigest,
}

impl JobRequest {
    pub fn parse(new: NewJob, trigger: Trigger, rules: &RequestRules) -> Result<Self, ApiError> {
        let key = given(new.idempotency_key.as_deref()).map(key).transpose()?;
        let digest = digest(&new);
        let kind = new.kind.trim().parse().map_err(|error| ApiError::invalid("kind", format!("{error}.")))?;
        let priority = match given(new.priority.as_deref()) {
            None => Priority::Normal,
            Some(word) => word.parse().map_err(|error| ApiError::invalid("priority", format!("{error}.")))?,
        };
        let max_attempts = new.max_attempts.unwrap_or(rules.max_attempts);
        if !(1..=MOST_ATTEMPTS).contains(&max_attempts) {
            return Err(ApiError::invalid(
                "max_attempts",
                format!("Between 1 and {MOST_ATTEMPTS} attempts are possible."),
            ));
        }
        let backoff_ms = new.backoff_ms.map_or(Ok(rules.backoff_ms), backoff)?;
        let run_at = new.run_at.map(run_at).transpose()?;
        let repository = repository(&new.repository, rules.local_repositories)?;
        let git_ref = given(new.git_ref.as_deref()).map(git_ref).transpose()?;
        // A browser's form sends `\r\n`, which a shell would take for part of a word.
        let unix = |text: Option<String>| text.unwrap_or_default().replace("\r\n", "\n");
        let work = match kind {
            Kind::Command => {
                Work::Command { script: text("script", unix(new.script), rules.limits.script_bytes)? }
            }
            Kind::Agent => Work::Agent {
                agent: agent(new.agent.as_deref(), rules)?,
                model: given(new.model.as_deref()).map(model).transpose()?,
                prompt: text("prompt", unix(new.prompt), rules.limits.prompt_bytes)?,
            },
        };
        Ok(Self {
            kind,
            priority,
            max_attempts,
            backoff_ms,
            title: work.title(),
            repository,
            git_ref,
            work,
            conversation: None,
            branch: None,
            run_at,
            trigger,
            key,
            digest,
        })
    }

    /// Of several requests with the same key one makes a job.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Tells whether two requests with the same key ask for the same.
    pub fn digest(&self) -> &RequestDigest {
        &self.digest
    }

    /// The job goes on with what another one began.
    pub fn continuing(self, conversation: Conversation) -> Self {
        Self { branch: conversation.branch.clone(), conversation: Some(conversation), ..self }
    }

    /// The job works on a branch that is there already, and publishes to it.
    pub fn on_branch(self, branch: String) -> Self {
        Self { branch: Some(branch), ..self }
    }

    /// The job has a title of somebody's own; one that says nothing changes nothing.
    pub fn called(self, text: &str) -> Self {
        let line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        let title = shortened(line.trim());
        if title.is_empty() { self } else { Self { title, ..self } }
    }

    pub fn row(&self, id: JobId, person: &Person) -> NewJobRow {
        let (agent, model, script, prompt) = match &self.work {
            Work::Command { script } => (None, None, Some(script.clone()), None),
            Work::Agent { agent, model, prompt } => {
                (Some(agent.clone()), model.clone(), None, Some(prompt.clone()))
            }
        };
        NewJobRow {
            id,
            kind: self.kind,
            priority: self.priority,
            max_attempts: self.max_attempts,
            backoff_ms: self.backoff_ms,
            title: self.title.clone(),
            repository: self.repository.clone(),
            git_ref: self.git_ref.clone(),
            agent,
            model,
            conversation: self.conversation.clone(),
            branch: self.branch.clone(),
            trigger: self.trigger,
            created_by: person.id,
            requested_by: person.login.clone(),
            run_at: self.run_at,
            script,
            prompt,
        }
    }
}

/// What the request asks for, whatever its key is.
fn digest(new: &NewJob) -> RequestDigest {
    let without_key = NewJob { idempotency_key: None, ..new.clone() };
    // A plain struct has no way to fail.
    Sha256::digest(serde_json::to_vec(&without_key).unwrap_or_default()).into()
}

fn key(text: &str) -> Result<String, ApiError> {
    if text.len() <= KEY_BYTES && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        let message = format!("A key has at most {KEY_BYTES} bytes and no control characters.");
        Err(ApiError::invalid("idempotency_key", message))
    }
}

fn backoff(millis: i64) -> Result<u32, ApiError> {
    u32::try_from(millis).ok().filter(|millis| *millis <= LONGEST_BACKOFF_MS).ok_or_else(|| {
        let message = format!("Between 0 and {LONGEST_BACKOFF_MS} milliseconds are possible.");
        ApiError::invalid("backoff_ms", message)
    })
}

fn agent(name: Option<&str>, rules: &RequestRules) -> Result<String, ApiError> {
    let first = rules.agents.first().map(String::as_str);
    let name = given(name).or(first).unwrap_or_default();
    if rules.agents.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    let message = format!("`{name}` is not one of {}.", rules.agents.join(", "));
    Err(ApiError::invalid("agent", message))
}

/// A model's name goes on a command line, so it may not look like an option.
fn model(name: &str) -> Result<String, ApiError> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.:/@[]".contains(char);
    if name.len() <= 128 && !name.starts_with('-') && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(ApiError::invalid("model", format!("`{name}` cannot be the name of a model.")))
    }
}

/// A time that has passed already means at once.
fn run_at(millis: i64) -> Result<DateTime<Utc>, ApiError> {
    let latest = Utc::now() + LATEST_START;
    DateTime::from_timestamp_millis(millis).filter(|time| millis >= 0 && *time <= latest).ok_or_else(|| {
        ApiError::invalid("run_at", "The start is a time in milliseconds since 1970, within the next year.")
    })
}

/// A field that was filled in; a form sends empty ones.
fn given(field: Option<&str>) -> Option<&str> {
    field.map(str::trim).filter(|text| !text.is_empty())
}

/// An address that `git fetch` can be given: never an option, never a helper program, never with a password in it.
fn repository(text: &str, local: LocalRepositories) -> Result<String, ApiError> {
    let wrong = |message: &str| Err(ApiError::invalid("repository", message));
    let text = text.trim();
    if text.is_empty() {
        return wrong("Say which repository: an https:// or ssh:// address, or git@host:path.");
    }
    if text.len() > 1024 || text.chars().any(|char| char.is_control() || char.is_whitespace()) {
        return wrong("The address of a repository has no spaces and at most 1024 characters.");
    }
    if text.starts_with('-') {
        return wrong("The address of a repository does not begin with a dash.");
    }
    if is_local(text) {
        return match local {
            LocalRepositories::Allow => Ok(text.to_owned()),
            LocalRepositories::Auto | LocalRepositories::Refuse => wrong(
                "This installation takes no repositories by path. Use an https:// or ssh:// address, or set \
                 `local_repositories = \"allow\"` under [runner] in Leptos.toml.",
            ),
        };
    }
    if let Some((account_and_host, path)) = text.split_once(':')
        && !path.starts_with("//")
    {
        return scp_like(account_and_host, path)
            .then(|| text.to_owned())
            .ok_or_else(|| ApiError::invalid("repository", NOT_AN_ADDRESS));
    }
    let Ok(url) = Url::parse(text) else { return wrong(NOT_AN_ADDRESS) };
    if !matches!(url.scheme(), "https" | "http" | "ssh")
        || url.host_str().is_none_or(|host| host.starts_with('-'))
    {
        return wrong(NOT_AN_ADDRESS);
    }
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        return wrong(
            "Leave the name and the password out of the address: it is shown to others. Give the runner's git a \
             credential helper or an ssh key instead.",
        );
    }
    Ok(text.to_owned())
}

const NOT_AN_ADDRESS: &str =
    "This is no address of a repository. Use https://host/path, ssh://host/path or git@host:path.";

/// `git@host:path`, the short form of ssh addresses. `ext::…` and the like have a colon in the path's place.
fn scp_like(account_and_host: &str, path: &str) -> bool {
    let host = account_and_host.rsplit_once('@').map_or(account_and_host, |(_, host)| host);
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | '@');
    !host.is_empty()
        && !host.starts_with('-')
        && account_and_host.chars().all(plain)
        && !path.is_empty()
        && !path.starts_with(['-', ':'])
}

/// A branch, tag or commit that git takes as a name.
fn git_ref(text: &str) -> Result<String, ApiError> {
    if is_ref_name(text) {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid("ref", format!("`{text}` cannot be the name of a branch, a tag or a commit.")))
    }
}

fn text(field: &str, text: String, limit: usize) -> Result<String, ApiError> {
    if text.trim().is_empty() {
        return Err(ApiError::invalid(field, format!("The {field} is empty. Say what to run.")));
    }
    if text.len() > limit {
        let message = format!(
            "The {field} has {} bytes, and {limit} are allowed. Put it into the repository, or raise `{field}_bytes` \
             under [limits] in Leptos.toml.",
            text.len()
        );
        return Err(ApiError::invalid(field, message));
    }
    if text.contains('\0') {
        return Err(ApiError::invalid(
            field,
            format!("The {field} holds a zero byte, which no program can be given."),
        ));
    }
    Ok(text)
}

/// The first line that says something, without a comment's mark.
fn title(script: &str) -> String {
    let lines = script.lines().map(str::trim);
    let line = lines.clone().find(|line| !line.is_empty() && !line.starts_with('#'));
    let line = line.or_else(|| lines.clone().find(|line| !line.is_empty())).unwrap_or_default();
    shortened(line)
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= TITLE_CHARS {
        return line.to_owned();
    }
    let start: String = line.chars().take(TITLE_CHARS - 1).collect();
    format!("{}…", start.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> RequestRules {
        let config = crate::config::load(None, [], &Default::default()).unwrap();
        RequestRules { local_repositories: LocalRepositories::Allow, ..RequestRules::new(&config) }
    }

    fn command() -> NewJob {
        NewJob {
            kind: "command".to_owned(),
            repository: "https://example.com/a/b.git".to_owned(),
            script: Some("cargo test".to_owned()),
            ..NewJob::default()
        }
    }

    /// The field that is wrong, or none.
    fn wrong_field(new: NewJob) -> Option<String> {
        match JobRequest::parse(new, Trigger::Api, &rules()) {
            Ok(_) => None,
            Err(ApiError::Invalid { field, .. }) => Some(field),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn addresses_that_git_understands_are_accepted() {
        for repository in [
            "https://github.com/owner/name",
            "http://127.0.0.1:3000/owner/name.git",
            "ssh://git@host:22/path",
            "git@github.com:owner/name.git",
            "host:path",
            "/srv/git/name.git",
            "file:///srv/git/name.git",
        ] {
            assert_eq!(
                wrong_field(NewJob { repository: repository.into(), ..command() }),
                None,
                "{repository}"
            );
        }
    }

    #[test]
    fn addresses_that_are_something_else_are_refused() {
        for repository in [
            "",
            "  ",
            "--upload-pack=touch /tmp/x",
            "--upload-pack=x",
            "-u",
            "ext::sh -c touch% /tmp/x",
            "ext::sh",
            "fd::17",
            "https://-oProxyCommand=x/y",
            "ssh://-oProxyCommand=x/y",
            "-oProxyCommand=x:y",
            "git@-oProxyCommand=x:y",
            "host:-path",
            "https://user:secret@host/path",
            "https://token@host/path",
            "ftp://host/path",
            "name",
            "a b",
            "https://host/a\nb",
        ] {
            let field = wrong_field(NewJob { repository: repository.into(), ..command() });
            assert_eq!(field.as_deref(), Some("repository"), "{repository}");
        }
    }

    #[test]
    fn a_path_is_refused_where_the_configuration_does_not_allow_it() {
        for local_repositories in [LocalRepositories::Refuse, LocalRepositories::Auto] {
            let rules = RequestRules { local_repositories, ..rules() };
            for repository in ["/srv/git/name.git", "file:///srv/git/name.git"] {
                let new = NewJob { repository: repository.into(), ..command() };
                assert!(JobRequest::parse(new, Trigger::Api, &rules).is_err(), "{repository}");
            }
        }
    }

    #[test]
    fn refs_follow_gits_rules() {
        for git_ref in ["main", "feature/x-1", "v1.0", "0123abc", "refs/heads/main", "ünïcode"] {
            assert_eq!(wrong_field(NewJob { git_ref: Some(git_ref.into()), ..command() }), None, "{git_ref}");
        }
        for git_ref in
            ["-x", "--upload-pack=x", "a..b", "a b", "a:b", "a^", "x.lock", "/a", "a/", "@{1}", "@"]
        {
            let field = wrong_field(NewJob { git_ref: Some(git_ref.into()), ..command() });
            assert_eq!(field.as_deref(), Some("ref"), "{git_ref}");
        }
    }

    #[test]
    fn a_script_must_say_something_and_fit() {
        for script in ["", " \n", "a\0b"] {
            assert_eq!(
                wrong_field(NewJob { script: Some(script.into()), ..command() }).as_deref(),
                Some("script")
            );
        }
        let long = "x".repeat(rules().limits.script_bytes + 1);
        assert_eq!(wrong_field(NewJob { script: Some(long), ..command() }).as_deref(), Some("script"));
    }

    #[test]
    fn words_and_numbers_that_do_not_exist_name_their_field() {
        assert_eq!(wrong_field(NewJob { kind: "dance".into(), ..command() }).as_deref(), Some("kind"));
        let agent = NewJob { kind: "agent".into(), prompt: Some("x".into()), ..command() };
        assert_eq!(wrong_field(agent.clone()), None);
        assert_eq!(wrong_field(NewJob { prompt: None, ..agent.clone() }).as_deref(), Some("prompt"));
        assert_eq!(
            wrong_field(NewJob { agent: Some("nobody".into()), ..agent.clone() }).as_deref(),
            Some("agent")
        );
        assert_eq!(wrong_field(NewJob { model: Some("-x".into()), ..agent }).as_deref(), Some("model"));
        let urgent = NewJob { priority: Some("urgent".into()), ..command() };
        assert_eq!(wrong_field(urgent).as_deref(), Some("priority"));
        assert_eq!(wrong_field(NewJob { priority: Some(String::new()), ..command() }), None);
        assert_eq!(
            wrong_field(NewJob { max_attempts: Some(0), ..command() }).as_deref(),
            Some("max_attempts")
        );
    }

    #[test]
    fn times_and_keys_that_cannot_be_name_their_field() {
        for (new, field) in [
            (NewJob { backoff_ms: Some(-1), ..command() }, "backoff_ms"),
            (NewJob { backoff_ms: Some(3_600_001), ..command() }, "backoff_ms"),
            (NewJob { run_at: Some(-1), ..command() }, "run_at"),
            (NewJob { run_at: Some(i64::MAX), ..command() }, "run_at"),
            (NewJob { idempotency_key: Some("x".repeat(256)), ..command() }, "idempotency_key"),
            (NewJob { idempotency_key: Some("a\nb".into()), ..command() }, "idempotency_key"),
        ] {
            assert_eq!(wrong_field(new).as_deref(), Some(field));
        }
        assert_eq!(wrong_field(NewJob { run_at: Some(0), backoff_ms: Some(0), ..command() }), None);
    }

    #[test]
    fn a_request_is_the_same_whatever_its_key() {
        let digest = |new: NewJob| JobRequest::parse(new, Trigger::Api, &rules()).unwrap().digest;
        let keyed = NewJob { idempotency_key: Some("a".into()), ..command() };
        assert_eq!(digest(keyed), digest(command()));
        assert_ne!(digest(NewJob { max_attempts: Some(2), ..command() }), digest(command()));
    }

    #[test]
    fn the_title_is_the_first_line_that_says_something() {
        assert_eq!(title("#!/bin/sh\n\n# comment\n  cargo test  \nx"), "cargo test");
        assert_eq!(title("# only a comment"), "# only a comment");
        assert_eq!(title(&"é".repeat(300)).chars().count(), TITLE_CHARS);
    }
}
