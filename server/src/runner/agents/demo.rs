//! The demo: Millrace's own binary as an agent that is no AI, so that a newcomer sees the whole path without a key.

use super::{
    Agent, Launch, Profile, Reader, Task,
    custom::{ExitCode, Steps},
    dialect::Listener,
};

/// Its name. It is part of this program, so it is there wherever the runner is.
pub const DEMO: &str = "demo";

pub(super) struct Demo;

impl Agent for Demo {
    fn profile(&self) -> Profile {
        Profile {
            name: DEMO.to_owned(),
            title: "Demo agent (no AI)".to_owned(),
            program: std::env::current_exe().unwrap_or_else(|_| "millrace".into()),
            install: None,
            credentials: &[],
            key: None,
            hosts: Vec::new(),
            sessions: &[],
        }
    }

    fn prepare(&self, task: &Task<'_>, _: &dyn Fn(&str) -> Option<String>) -> Launch {
        let mut launch = Launch::new(self.profile().program);
        launch.arg("demo-agent");
        launch.stdin = task.prompt.to_owned();
        launch
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Listener::new(Steps { exit_code_counts: ExitCode::SaysNothing }))
    }
}
