//! What a repository says about its jobs, at its default branch: `.millrace.toml` to Millrace, `AGENTS.md` to agents.

use app::model::Priority;
use serde::Deserialize;

use super::failure::Failure;
use crate::github::{
    BranchName, Client, RepositoryName,
    mention::{Ask, Mistake},
};

const FILE: &str = ".millrace.toml";
const FOR_AGENTS: &str = "AGENTS.md";

/// What the repository tells every agent.
pub(super) async fn for_agents(
    client: &Client,
    repository: &RepositoryName,
) -> Result<Option<String>, Failure> {
    Ok(client.file(repository, FOR_AGENTS).await?)
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Instructions {
    agent: Option<String>,
    model: Option<String>,
    priority: Option<Priority>,
    base: Option<BranchName>,
}

impl Instructions {
    pub async fn read(
        client: &Client,
        repository: &RepositoryName,
    ) -> Result<Result<Self, Mistake>, Failure> {
        let text = client.file(repository, FILE).await?.unwrap_or_default();
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Result<Self, Mistake> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Mistake(format!(
                "`{FILE}` cannot be followed: line {line}: {}. It may have `agent`, `model`, `priority` and `base`.",
                error.message().trim_end_matches('.')
            ))
        })
    }

    /// What was asked for goes before what the file says. Another agent's model is nothing to this one.
    pub fn fill(self, ask: Ask) -> Ask {
        let same_agent = ask.agent.is_none() || ask.agent == self.agent;
        Ask {
            model: ask.model.or(self.model.filter(|_| same_agent)),
            agent: ask.agent.or(self.agent),
            priority: ask.priority.or(self.priority),
            base: ask.base.or(self.base),
            prompt: ask.prompt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_nobody_asked_for() {
        let text = "agent = \"codex\"\nmodel = \"m\"\npriority = \"low\"\nbase = \"next\"\n";
        let file = Instructions::parse(text).unwrap();
        let base = BranchName::try_from("main".to_owned()).unwrap();
        let filled = file.clone().fill(Ask { base: Some(base.clone()), ..Ask::default() });
        assert_eq!((filled.agent.as_deref(), filled.model.as_deref()), (Some("codex"), Some("m")));
        assert_eq!((filled.priority, filled.base), (Some(Priority::Low), Some(base)));
        let other = file.fill(Ask { agent: Some("claude".to_owned()), ..Ask::default() });
        assert_eq!((other.agent.as_deref(), other.model), (Some("claude"), None));
        assert_eq!(Instructions::parse("").unwrap(), Instructions::default());
    }

    #[test]
    fn a_wrong_file_is_told_in_words() {
        for (text, word) in [
            ("agent = \"a\"\nagnet = 1", "line 2"),
            ("priority = \"urgent\"", "urgent"),
            ("agent = ", "line 1"),
            ("[jobs]", "jobs"),
            ("base = \"pull/7/head\"", "name of a branch"),
        ] {
            let Mistake(mistake) = Instructions::parse(text).unwrap_err();
            assert!(mistake.contains(word) && mistake.starts_with("`.millrace.toml`"), "{mistake}");
        }
    }
}
