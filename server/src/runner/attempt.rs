//! Everything around the work of one attempt: its output and its verdict.

use app::model::{AttemptState, Job};

use super::{AttemptOutput, Runner, StopReason, StopSignal};
use crate::{
    db::{OwnedJob, transitions::Outcome},
    lifecycle::Lifecycle,
    output::{Writer, WriterOptions},
};

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
        if let Err(error) = self.lifecycle.set_stage(&self.job, stage).await {
            tracing::debug!(job.id = %self.job.id, stage, %error, "the stage was not noted");
        }
    }
}

/// Runs an attempt to its end, whichever it is. Failures of Millrace itself become the attempt's error; only when even
/// that cannot be written, the lease runs out and another runner tries.
pub(super) async fn run(runner: &Runner, owned: OwnedJob, stop: StopSignal) {
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
    });
    let mut writing = tokio::spawn(writer.run(lines));
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

    let ended = match stop.reason() {
        Some(StopReason::Lost) => return,
        Some(StopReason::RunnerStops) => {
            let handed_back = runner.lifecycle.hand_back(&job, &runner.name, lines).await;
            tracing::info!(parent: &span, "given back, because this runner stops");
            handed_back
        }
        reason => {
            let outcome = match reason {
                Some(_) => Outcome { state: AttemptState::Canceled, exit_code: None, error: None },
                None => outcome,
            };
            finish(runner, &job, &outcome, lines, &span, started).await
        }
    };
    if let Err(error) = ended {
        tracing::error!(parent: &span, %error, "the end could not be written; the job is tried again");
    }
}

/// Writes the verdict, patiently: the work is done, and only Postgres being away stands in the way. While this waits the
/// lease is renewed, and when the lease is lost the guard in the statement keeps the verdict out.
async fn finish(
    runner: &Runner,
    job: &Job,
    outcome: &Outcome,
    lines: u64,
    span: &tracing::Span,
    started: std::time::Instant,
) -> sqlx::Result<()> {
    const TRIES: u32 = 20;
    let mut tries = 0;
    let was_ours = loop {
        tries += 1;
        match runner.lifecycle.finish(job, &runner.name, outcome, lines).await {
            Ok(was_ours) => break was_ours,
            Err(error) if tries == TRIES => return Err(error),
            Err(error) => tracing::warn!(parent: span, %error, "Postgres is away; the verdict waits"),
        }
        tokio::time::sleep(super::RETRY_AFTER).await;
    };
    let duration_ms = started.elapsed().as_millis();
    if was_ours {
        tracing::info!(parent: span, state = %outcome.state, exit_code = outcome.exit_code, lines, duration_ms, "ended");
    } else {
        tracing::warn!(parent: span, duration_ms, "the verdict came too late: the attempt was lost");
    }
    Ok(())
}
