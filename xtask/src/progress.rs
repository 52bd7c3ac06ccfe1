//! One line for every long step: a spinner on a terminal, plain text elsewhere.

use std::borrow::Cow;
use std::io::{IsTerminal, stderr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::command;

const REDRAW: Duration = Duration::from_millis(100);

/// A long step. Dropped before [`Step::done`], it vanishes and leaves the word to the error.
pub(crate) struct Step {
    what: Cow<'static, str>,
    begin: Instant,
    spinner: Option<ProgressBar>,
}

impl Step {
    pub(crate) fn begin(what: impl Into<Cow<'static, str>>) -> Self {
        let what = what.into();
        let spinner = stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner().with_prefix(what.clone());
            if let Ok(style) =
                ProgressStyle::with_template("{spinner:.cyan} {prefix} {elapsed:.dim} {wide_msg:.dim}")
            {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(REDRAW);
            spinner
        });
        if spinner.is_none() {
            eprintln!("{what} …");
        }
        Self { what, begin: Instant::now(), spinner }
    }

    /// Says what the step is at.
    pub(crate) fn note(&self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(detail.trim().to_owned());
        }
    }

    /// Runs a program as a part of the step. Its output is shown only if it fails.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let mut output = String::new();
        let status = command::follow(command, |_, line| {
            self.note(line);
            output.push_str(line);
            output.push('\n');
        })?;
        if !status.success() {
            if let Some(spinner) = &self.spinner {
                spinner.finish_and_clear();
            }
            eprint!("{output}");
        }
        command::succeeded(command, status)
    }

    pub(crate) fn done(self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        eprintln!("{}: {}", self.what, seconds(self.begin.elapsed()));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
