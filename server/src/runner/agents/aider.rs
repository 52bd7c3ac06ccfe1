//! Aider: prints for people, and ends with exit code 0 also when the provider refuses.

use app::model::{Step, Timestamp, Usage};
use serde_json::json;

use super::{
    Agent, Launch, Profile, Reader, Task,
    dialect::{Dialect, Listener, micros},
    ending::{Exit, Failure, LastWord, Memory},
    launch::{base_url, hosts, key, model},
};
use crate::config::AgentConfig;

const CREDENTIALS: &[&str] =
    &["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"];

/// Its file for the prompt, relative to HOME.
const PROMPT: &str = "prompt.md";

/// For the settings' base address, beside which it reaches no other provider.
const OF_BASE_URL: &[&str] = &["OPENAI_API_KEY"];

pub(super) struct Aider {
    settings: AgentConfig,
}

impl Aider {
    pub fn new(settings: AgentConfig) -> Self {
        Self { settings }
    }

    fn credentials(&self) -> &'static [&'static str] {
        if self.settings.base_url.is_some() { OF_BASE_URL } else { CREDENTIALS }
    }
}

impl Agent for Aider {
    fn profile(&self) -> Profile {
        const HOSTS: &[&str] = &[
            "api.anthropic.com",
            "api.openai.com",
            "generativelanguage.googleapis.com",
            "api.deepseek.com",
            "openrouter.ai",
        ];
        Profile {
            name: "aider".to_owned(),
            title: "Aider".to_owned(),
            program: "aider".into(),
            install: Some("python3 -m pip install aider-install && aider-install"),
            credentials: self.credentials(),
            key: key(&self.settings, None, OF_BASE_URL),
            hosts: hosts(&self.settings, HOSTS),
            sessions: &[],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let in_home = |path: &str| task.home.join(path).to_string_lossy().into_owned();
        let mut launch = Launch::new("aider");
        launch.arg("--message-file").arg(in_home(PROMPT)).file(PROMPT, task.prompt);
        launch.args(["--yes-always", "--analytics-disable", "--no-check-update", "--no-show-model-warnings"]);
        launch.args(["--no-pretty", "--no-stream", "--no-fancy-input"]);
        // What it keeps for itself is no change: neither a line in .gitignore nor its files, which git ignores by this.
        launch.arg("--no-gitignore").file(".config/git/ignore", ".aider*\n");
        launch.arg("--chat-history-file").arg(in_home("aider.chat.md"));
        launch.arg("--input-history-file").arg(in_home("aider.input"));
        if let Some(model) = model(task, &self.settings) {
            launch.args(["--model", model]);
        }
        if let Some(url) = base_url(task, &self.settings) {
            launch.arg("--openai-api-base").arg(url);
        }
        launch.args(self.settings.arguments.iter().map(String::as_str)).pass_on(
            self.credentials(),
            &self.settings.environment,
            variable,
        );
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Lines::default()))
    }
}

#[derive(Default)]
struct Lines {
    usage: Usage,
    edits: u32,
}

impl Dialect for Lines {
    fn understand(&mut self, _: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        if let Some(version) = line.strip_prefix("Aider v") {
            memory.told.version = Some(version.trim().to_owned());
            return Vec::new();
        }
        if let Some(model) = line.strip_prefix("Model: ").and_then(|line| line.split(' ').next()) {
            memory.told.model = Some(model.to_owned());
            return Vec::new();
        }
        if let Some(path) = line.strip_prefix("Applied edit to ") {
            return self.edit(path).into();
        }
        if let Some(used) = line.strip_prefix("Tokens: ").and_then(parse_usage) {
            // It tells them when an answer is complete.
            memory.last_word = Some(Ok(()));
            self.add(used);
            memory.told.usage = Some(self.usage);
            return vec![Step::Usage(self.usage)];
        }
        if let Some(error) = line.trim_start().strip_prefix("litellm.").filter(|said| is_error(said)) {
            memory.last_word = Some(Err(Failure::worded(error)));
            return Vec::new();
        }
        if line.starts_with("Retrying in ") {
            return vec![Step::Retry { text: line.to_owned(), again_at: None }];
        }
        // Before its first answer it only tells how it was set up.
        if memory.told.model.is_none() || line.starts_with("Git repo: ") || line.starts_with("Repo-map: ") {
            return Vec::new();
        }
        vec![Step::Message { text: format!("{line}\n"), delta: true }]
    }

    fn last_word(&self, said: Option<LastWord>, exit: &Exit) -> Option<LastWord> {
        said.filter(|said| said.is_err() || *exit == Exit::Code(0))
    }
}

impl Lines {
    fn edit(&mut self, path: &str) -> [Step; 2] {
        self.edits += 1;
        let call = format!("edit-{}", self.edits);
        let input = json!({"path": path}).to_string();
        [
            Step::ToolCall { call: call.clone(), tool: "edit".to_owned(), input },
            Step::ToolResult { call, exit_code: None, error: false, output: String::new() },
        ]
    }

    fn add(&mut self, used: Usage) {
        self.usage.input_tokens = self.usage.input_tokens.saturating_add(used.input_tokens);
        self.usage.output_tokens = self.usage.output_tokens.saturating_add(used.output_tokens);
        // It adds the money up itself.
        self.usage.cost_micros = used.cost_micros.or(self.usage.cost_micros);
    }
}

/// `RateLimitError: …`, unlike a line of code that calls the library.
fn is_error(said: &str) -> bool {
    let name = said.split_once(": ").map_or("", |(name, _)| name);
    name == "Timeout" || name.ends_with("Error") && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `1.2k sent, 300 received. Cost: $0.01 message, $0.02 session.`
fn parse_usage(figures: &str) -> Option<Usage> {
    let mut usage = Usage::default();
    let (tokens, cost) = figures.split_once(". Cost: ").unwrap_or((figures, ""));
    for figure in tokens.trim_end_matches('.').split(", ") {
        let (count, what) = figure.split_once(' ')?;
        let count = parse_count(count)?;
        match what {
            "sent" => usage.input_tokens = count,
            "received" => usage.output_tokens = count,
            _ => {}
        }
    }
    let session = cost.split(", ").find_map(|part| part.strip_suffix(" session."));
    let dollars = session.and_then(|cost| cost.strip_prefix('$')?.parse::<f64>().ok());
    usage.cost_micros = dollars.map(micros);
    Some(usage)
}

/// `13`, `1.2k`, `3.4M`
fn parse_count(text: &str) -> Option<u64> {
    let (number, factor) = match text.strip_suffix('k') {
        Some(number) => (number, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |number| (number, 1e6)),
    };
    Some((number.replace(',', "").parse::<f64>().ok()? * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_with_their_units_and_cost() {
        let usage = parse_usage("1.2k sent, 300 received. Cost: $0.01 message, $0.02 session.").unwrap();
        let expected =
            Usage { input_tokens: 1200, cached_tokens: 0, output_tokens: 300, cost_micros: Some(20_000) };
        assert_eq!(usage, expected);
        assert_eq!(parse_usage("none at all"), None);
    }

    #[test]
    fn a_used_up_quota_is_told_by_the_librarys_error_and_by_nothing_that_is_said() {
        let quota = |line| {
            let mut memory = Memory::default();
            memory.told.model = Some("fake-model".to_owned());
            Lines::default().understand(Timestamp(0), line, &mut memory);
            memory.last_word.and_then(Result::err).map(|failure| failure.reason)
        };
        let error = "litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your current quota, \
                     please check your plan and billing details.";
        assert_eq!(quota(error), Some(app::model::AgentOutcome::Quota));
        for line in [
            "litellm.completion(model)  # until the usage limit: see below",
            "A test shows the usage limit",
            "429 Quota exceeded",
        ] {
            assert_eq!(quota(line), None, "{line}");
        }
    }

    #[test]
    fn a_refused_key_is_a_failure_although_the_program_says_nothing_more() {
        let mut memory = Memory::default();
        let line =
            "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided";
        Lines::default().understand(Timestamp(0), line, &mut memory);
        let said = Lines::default().last_word(memory.last_word, &Exit::Code(0));
        assert_eq!(said.unwrap().unwrap_err().reason, app::model::AgentOutcome::Authentication);
    }
}
