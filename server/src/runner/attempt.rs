//! Everything around the work of one attempt: its output and its verdict.

use std::time::Duration;

use app::model::Job;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{AttemptOutput, Runner, StopReason, StopSignal, progress::Progress, verdicts::Heard};
use crate::{
    db::{OwnedJob, transitions::Outcome},
    lifecycle::Lifecycle,
    output::{Writer, WriterOptions},
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
}

impl RunningAttempt {
    /// Tells people what happens now. A failure to do so is no reason to stop.
    pub async fn stage(&self, stage: &str) {
        if let Err(error) = self.lifecycle.set_progress(&self.job, Some(stage), None).await {
            tracing::debug!(job.id = %self.job.id, stage, %error, "the stage was not noted");
        }
    }
}

/// Runs an attempt to its end, whichever it is. Failures of Millrace itself become the attempt's error; only when even
/// that cannot be written, the lease runs out and another runner tries.
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
    };

    let mut written = None;
    let outcome = {
        let executing = runner.executor.execute(&attempt);
        tokio::pin!(executing);
        tokio::select! {
            outcome = &mut executing => outcome,
            // The writer only ends by itself when the attempt is no longer this runner's.
            early = &mut writing => {
                written = Some(early);
                if let Some(stopper) = runner.held().get(&(attempt.job.id, attempt.job.attempt)) {
                    stopper.stop(StopReason::Lost);
                }
                executing.await
            }
        }
    };
    let RunningAttempt { job, output, .. } = attempt;
    drop(output);
    let written = match written {
        Some(written) => written,
        None => writing.await,
    };
    let lines = match written {
        Ok(Ok(lines)) => lines,
        Ok(Err(error)) => {
            tracing::warn!(parent: &span, %error, "given up");
            return;
        }
        Err(error) => {
            tracing::error!(parent: &span, %error, "the writer failed; the job is tried again when the lease is over");
            return;
        }
    };

    match stop.reason() {
        Some(StopReason::Lost) => {}
        Some(StopReason::RunnerStops) => match runner.lifecycle.hand_back(&job, &runner.name, lines).await {
            Ok(()) => tracing::info!(parent: &span, "given back, because this runner stops"),
            Err(error) => tracing::error!(parent: &span, %error, "not given back; the lease runs out"),
        },
        reason => {
            let outcome = if reason.is_some() { Outcome::canceled() } else { outcome };
            let (state, exit_code) = (outcome.state, outcome.exit_code);
            let heard = runner.verdicts.tell(&job, outcome, lines, slot).await;
            let duration_ms = started.elapsed().as_millis();
            match heard {
                Heard::Yes => tracing::info!(parent: &span, %state, exit_code, lines, duration_ms, "ended"),
                Heard::TooLate => {
                    tracing::warn!(parent: &span, duration_ms, "the verdict came too late: the attempt was lost");
                }
                // It was said why.
                Heard::Refused => {}
            }
        }
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
