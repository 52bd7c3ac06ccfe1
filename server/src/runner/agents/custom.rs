//! A program of the operator's own: a command that reads the prompt from its standard input.
//!
//! Its exit code is its verdict, unless it prints steps as JSON, the way the API shows them, and a result among them. Whatever
//! else it prints is what it says.

use app::model::{AgentOutcome, Step, Timestamp};

use super::{
    Agent, Launch, Profile, Reader, Task,
    dialect::{Dialect, Listener},
    ending::{Exit, Failure, LastWord, Memory},
    shorten::shorten,
};
use crate::config::CustomAgentConfig;

pub(super) struct Custom {
    name: String,
    settings: CustomAgentConfig,
}

impl Custom {
    pub fn new(name: String, settings: CustomAgentConfig) -> Self {
        Self { name, settings }
    }
}

impl Agent for Custom {
    fn profile(&self) -> Profile {
        Profile {
            name: self.name.clone(),
            title: self.name.clone(),
            program: self.settings.command.program().into(),
            install: None,
            credentials: &[],
            key: None,
            hosts: self.settings.hosts.clone(),
            sessions: &[],
        }
    }

    fn prepare(&self, task: &Task<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new(self.settings.command.program());
        launch.args(self.settings.command.arguments().iter().map(String::as_str)).pass_on(
            &[],
            &self.settings.environment,
            variable,
        );
        if let Some(model) = task.model {
            launch.env("MILLRACE_MODEL", model);
        }
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Steps { exit_code_counts: ExitCode::Counts }))
    }
}

/// Whether the exit code is a verdict where there is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitCode {
    Counts,
    SaysNothing,
}

/// Steps as JSON, one a line.
pub(super) struct Steps {
    pub exit_code_counts: ExitCode,
}

impl Dialect for Steps {
    fn understand(&mut self, _: Timestamp, line: &str, memory: &mut Memory) -> Vec<Step> {
        let step = serde_json::from_str(line).unwrap_or_else(|_| said(line));
        let step = bounded(step);
        match &step {
            Step::Usage(usage) => memory.told.usage = Some(*usage),
            Step::Result { ok: true, text } => {
                memory.told.summary = Some(text.clone());
                memory.last_word = Some(Ok(()));
            }
            Step::Result { ok: false, text } => memory.last_word = Some(Err(Failure::worded(text))),
            _ => {}
        }
        vec![step]
    }

    fn last_word(&self, said: Option<LastWord>, exit: &Exit) -> Option<LastWord> {
        match (said, exit) {
            (None, Exit::Code(0)) if self.exit_code_counts == ExitCode::Counts => Some(Ok(())),
            (said, _) => said,
        }
    }

    /// Nobody knows what such a program prints.
    fn explained_by(&self, _: &str) -> Option<AgentOutcome> {
        None
    }
}

/// A line of plain text. The spaces keep it a line in Markdown.
fn said(line: &str) -> Step {
    Step::Message { text: format!("{line}  \n"), delta: true }
}

/// Whoever wrote the program did not know how long a step may be.
fn bounded(step: Step) -> Step {
    match step {
        Step::Message { text, delta } => Step::Message { text: shorten(&text), delta },
        Step::Thought { text } => Step::Thought { text: shorten(&text) },
        Step::ToolCall { call, tool, input } => {
            Step::ToolCall { call: shorten(&call), tool: shorten(&tool), input: shorten(&input) }
        }
        Step::ToolResult { call, exit_code, error, output } => {
            Step::ToolResult { call: shorten(&call), exit_code, error, output: shorten(&output) }
        }
        Step::Retry { text, again_at } => Step::Retry { text: shorten(&text), again_at },
        Step::Result { ok, text } => Step::Result { ok, text: shorten(&text) },
        Step::Usage(usage) => Step::Usage(usage),
    }
}

#[cfg(test)]
mod tests {
    use app::model::Stream;

    use super::*;

    #[test]
    fn what_is_no_step_is_what_the_program_says_and_its_exit_code_counts() {
        let mut reader: Box<dyn Reader> =
            Box::new(Listener::new(Steps { exit_code_counts: ExitCode::Counts }));
        let mut read = |stream, line: &str| reader.read(stream, Timestamp(0), line);
        for line in ["Looking around", "", "{\"no\": \"step\"}"] {
            let said = Step::Message { text: format!("{line}  \n"), delta: true };
            assert_eq!(read(Stream::Stdout, line), [said]);
        }
        assert_eq!(
            read(Stream::Stdout, r#"{"type":"thought","text":"Hm"}"#),
            [Step::Thought { text: "Hm".to_owned() }]
        );
        assert_eq!(read(Stream::Stderr, "a warning"), []);
        assert_eq!(reader.end(Exit::Code(0)).verdict, super::super::Verdict::Finished);
    }
}
