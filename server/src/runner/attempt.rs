//! Everything around the work of one attempt: its output and its verdict.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use app::model::{AgentStatus, AttemptState, Job, JobId};
use futures::FutureExt as _;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    AttemptOutput, RETRY_AFTER, Runner, StopReason, StopSignal, progress::Progress, verdicts::Heard,
};
use crate::{
    db::{
        self, OwnedJob,
        transitions::{Loss, Outcome},
    },
    lifecycle::Lifecycle,
    output::{self, WriteError, Writer, WriterOptions},
};

/// How often what a program says of its progress is noted.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What an executor is given.
pub struct RunningAttempt {
    pub job: Job,
    pub runner: String,
    pub output: AttemptOutput,
    pub stop: StopSignal,
    pub lifecycle: Lifecycle,
    /// What this runner has found of agents by now.
    pub agents: watch::Receiver<Vec<AgentStatus>>,
}

impl RunningAttempt {
    /// The version of an agent on this machine, as the program tells it when it is asked.
    pub fn version_of(&self, agent: &str) -> Option<String> {
        let agents = self.agents.borrow();
        let answer = agents.iter().find(|status| status.name == agent)?.version.as_deref()?;
        Some(version_in(answer).to_owned())
    }

    /// Tells people what happens now. A failure to do so is no reason to stop.
    pub async fn stage(&self, stage: &str) {
        if let Err(error) = self.lifecycle.set_progress(&self.job, Some(stage), None).await {
            tracing::debug!(job.id = %self.job.id, stage, %error, "the stage was not noted");
        }
    }
}

/// Runs an attempt to its end, whichever it is. Failures of Millrace itself become the attempt's error; where even that
/// cannot be told, the attempt counts as lost, so that no job is tried for ever.
pub(super) async fn run(runner: &Runner, owned: OwnedJob, stop: StopSignal, slot: OwnedSemaphorePermit) {
    let OwnedJob { job, owner } = owned;
    let span = tracing::info_span!("attempt", job.id = %job.id, attempt = job.attempt);
    let started = std::time::Instant::now();
    tracing::info!(parent: &span, repository = job.repository, "started");
    let (output, lines) = AttemptOutput::channel();
    let writer = Writer::new(WriterOptions {
        lifecycle: runner.lifecycle.clone(),
        config: runner.config.output.clone(),
        job: job.id,
        attempt: job.attempt,
        owner,
        runner: runner.name.clone(),
        spool: runner.config.server.data_dir.clone(),
    });
    let mut writing = tokio::spawn(writer.run(lines));
    tokio::spawn(pass_progress_on(runner.lifecycle.clone(), job.clone(), output.progress()));
    let attempt = RunningAttempt {
        job,
        runner: runner.name.clone(),
        output,
        stop: stop.clone(),
        lifecycle: runner.lifecycle.clone(),
        agents: runner.agents.subscribe(),
    };

    let mut written = None;
    let outcome = {
        // Nothing of the attempt is used after a panic but what tells people of it.
        let executing = AssertUnwindSafe(runner.executor.execute(&attempt)).catch_unwind();
        tokio::pin!(executing);
        let executed = tokio::select! {
            executed = &mut executing => executed,
            // The writer only ends by itself when the attempt is no longer this runner's, or lines cannot be kept.
            early = &mut writing => {
                written = Some(early);
                if let Some(stopper) = runner.held().get(&(attempt.job.id, attempt.job.attempt)) {
                    stopper.stop(StopReason::Lost);
                }
                executing.await
            }
        };
        executed.unwrap_or_else(|panic| panicked(attempt.job.id, panic.as_ref()))
    };
    let RunningAttempt { job, output, .. } = attempt;
    drop(output);
    let written = match written {
        Some(written) => written,
        None => writing.await,
    };
    let lines = match written {
        Ok(Ok(lines)) => lines,
        Ok(Err(error @ WriteError::NotHeld)) => {
            tracing::warn!(parent: &span, %error, "given up");
            return;
        }
        Ok(Err(error)) => return without_verdict(runner, &job, None, error.to_string()).await,
        Err(error) => {
            return without_verdict(runner, &job, None, format!("its writer failed: {error}")).await;
        }
    };

    match stop.reason() {
        Some(StopReason::Lost) => {}
        Some(StopReason::RunnerStops) => {
            match runner.lifecycle.lose(&job, &runner.name, Loss::HandedBack, lines).await {
                Ok(()) => tracing::info!(parent: &span, "given back, because this runner stops"),
                Err(error) => tracing::error!(parent: &span, %error, "not given back; the lease runs out"),
            }
        }
        reason => {
            let outcome = if reason.is_some() { Outcome::canceled() } else { outcome };
            let (state, exit_code) = (outcome.state, outcome.exit_code);
            let heard = runner.verdicts.tell(&job, outcome, lines, slot).await;
            let duration_ms = started.elapsed().as_millis();
            match heard {
                Heard::Yes => {
                    tracing::info!(parent: &span, %state, exit_code, lines, duration_ms, "ended");
                    if state == AttemptState::Failed {
                        let live_for = runner.config.output.failed_live_for;
                        output::keep(&runner.lifecycle, job.id, job.attempt, live_for).await;
                    }
                }
                Heard::TooLate => {
                    tracing::warn!(parent: &span, duration_ms, "the verdict came too late: the attempt was lost");
                }
                Heard::Refused(reason) => without_verdict(runner, &job, Some(lines), reason).await,
            }
        }
    }
}

/// The number in an answer such as `codex-cli 0.63.0`; all of it where there is none.
fn version_in(answer: &str) -> &str {
    let mut words = answer.split_whitespace();
    words.find(|word| word.starts_with(|char: char| char.is_ascii_digit())).unwrap_or(answer)
}

/// How an attempt ends whose execution panicked, which is a bug.
fn panicked(job: JobId, panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("without a message");
    tracing::error!(job.id = %job, panic = text, "an attempt panicked");
    Outcome::failed(format!("Millrace could not run the attempt, which is a bug in it: {text}."))
}

/// Ends an attempt as lost of which no verdict can be told, patiently. Without knowing how many `lines` it has, those count
/// that the archive holds.
async fn without_verdict(runner: &Runner, job: &Job, lines: Option<u64>, reason: String) {
    tracing::error!(job.id = %job.id, attempt = job.attempt, reason, "an attempt ends without a verdict");
    let lose = async || {
        let lines = match lines {
            Some(lines) => lines,
            None => db::output::last_seq(runner.lifecycle.db(), job.id, job.attempt).await?,
        };
        runner.lifecycle.lose(job, &runner.name, Loss::NoVerdict(reason.clone()), lines).await
    };
    while let Err(error) = lose().await {
        tracing::warn!(job.id = %job.id, %error, "that the attempt is lost is told later");
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

/// Notes what the program says of its progress, some times a second at most, until it has nothing more to say.
async fn pass_progress_on(lifecycle: Lifecycle, job: Job, mut progress: watch::Receiver<Progress>) {
    while progress.changed().await.is_ok() {
        let Progress { percent, stage } = progress.borrow_and_update().clone();
        if let Err(error) = lifecycle.set_progress(&job, stage.as_deref(), percent).await {
            tracing::debug!(job.id = %job.id, %error, "progress was not noted");
        }
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_number_that_a_program_answers() {
        assert_eq!(version_in("codex-cli 0.63.0"), "0.63.0");
        assert_eq!(version_in("1.0.98"), "1.0.98");
        assert_eq!(version_in("nightly build"), "nightly build");
    }
}
