//! From what somebody sent to a job that can be run: parsed once, here.

use std::path::Path;

use app::model::{ApiError, JobId, Kind, NewJob, Person, Priority, Trigger};
use url::Url;

use crate::{
    config::{LimitsConfig, LocalRepositories},
    db::NewJobRow,
};

/// The longest heading of a job, in characters.
const TITLE_CHARS: usize = 100;
/// The most attempts that a request can ask for.
const MAX_ATTEMPTS: u32 = 20;

/// What this installation accepts.
#[derive(Clone, Debug)]
pub struct RequestRules {
    pub limits: LimitsConfig,
    pub local_repositories: LocalRepositories,
    pub max_attempts: u32,
}

/// A request that can be run. Only [`JobRequest::parse`] makes one.
#[derive(Clone, Debug)]
pub struct JobRequest {
    kind: Kind,
    priority: Priority,
    max_attempts: u32,
    title: String,
    repository: String,
    git_ref: Option<String>,
    script: String,
    trigger: Trigger,
}

impl JobRequest {
    pub fn parse(new: NewJob, trigger: Trigger, rules: &RequestRules) -> Result<Self, ApiError> {
        let kind = match new.kind.trim().parse() {
            Ok(Kind::Command) => Kind::Command,
            Ok(Kind::Agent) => {
                return Err(ApiError::invalid(
                    "kind",
                    "This version of Millrace runs no agents yet. Use the kind `command` with a script.",
                ));
            }
            Err(error) => return Err(ApiError::invalid("kind", format!("{error}."))),
        };
        let priority = match given(new.priority.as_deref()) {
            None => Priority::Normal,
            Some(word) => word.parse().map_err(|error| ApiError::invalid("priority", format!("{error}.")))?,
        };
        let max_attempts = new.max_attempts.unwrap_or(rules.max_attempts);
        if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
            return Err(ApiError::invalid(
                "max_attempts",
                format!("Between 1 and {MAX_ATTEMPTS} attempts are possible."),
            ));
        }
        let repository = repository(&new.repository, rules.local_repositories)?;
        let git_ref = given(new.git_ref.as_deref()).map(git_ref).transpose()?;
        // A browser's form sends `\r\n`, which a shell would take for part of a word.
        let script = new.script.unwrap_or_default().replace("\r\n", "\n");
        let script = text("script", script, rules.limits.script_bytes)?;
        Ok(Self { kind, priority, max_attempts, title: title(&script), repository, git_ref, script, trigger })
    }

    pub fn row<'a>(&'a self, id: JobId, person: &'a Person) -> NewJobRow<'a> {
        NewJobRow {
            id,
            kind: self.kind,
            priority: self.priority,
            max_attempts: self.max_attempts,
            title: &self.title,
            repository: &self.repository,
            git_ref: self.git_ref.as_deref(),
            agent: None,
            model: None,
            trigger: self.trigger,
            created_by: person.id,
            requested_by: &person.login,
            script: Some(&self.script),
            prompt: None,
        }
    }
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
    if Path::new(text).is_absolute() || text.starts_with("file://") {
        return match local {
            LocalRepositories::Allow => Ok(text.to_owned()),
            LocalRepositories::Refuse => wrong(
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

/// A branch, tag or commit that git takes as a name. The rules are those of `git check-ref-format`.
fn git_ref(text: &str) -> Result<String, ApiError> {
    let forbidden = |char: char| char.is_control() || " ~^:?*[\\".contains(char);
    let fits = text.len() <= 255
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.ends_with(".lock")
        && !text.contains(forbidden)
        && ["..", "//", "@{", "/."].iter().all(|part| !text.contains(part))
        && text != "@";
    if fits {
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
    if line.chars().count() <= TITLE_CHARS {
        return line.to_owned();
    }
    let start: String = line.chars().take(TITLE_CHARS - 1).collect();
    format!("{}…", start.trim_end())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rules() -> RequestRules {
        let config = crate::config::load(None, [], &Default::default()).unwrap();
        RequestRules {
            limits: config.limits,
            local_repositories: LocalRepositories::Allow,
            max_attempts: NonZeroU32::get(config.queue.max_attempts),
        }
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
        let rules = RequestRules { local_repositories: LocalRepositories::Refuse, ..rules() };
        for repository in ["/srv/git/name.git", "file:///srv/git/name.git"] {
            let new = NewJob { repository: repository.into(), ..command() };
            assert!(JobRequest::parse(new, Trigger::Api, &rules).is_err(), "{repository}");
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
        assert_eq!(wrong_field(NewJob { kind: "agent".into(), ..command() }).as_deref(), Some("kind"));
        let urgent = NewJob { priority: Some("urgent".into()), ..command() };
        assert_eq!(wrong_field(urgent).as_deref(), Some("priority"));
        assert_eq!(wrong_field(NewJob { priority: Some(String::new()), ..command() }), None);
        assert_eq!(
            wrong_field(NewJob { max_attempts: Some(0), ..command() }).as_deref(),
            Some("max_attempts")
        );
    }

    #[test]
    fn the_title_is_the_first_line_that_says_something() {
        assert_eq!(title("#!/bin/sh\n\n# comment\n  cargo test  \nx"), "cargo test");
        assert_eq!(title("# only a comment"), "# only a comment");
        assert_eq!(title(&"é".repeat(300)).chars().count(), TITLE_CHARS);
    }
}
