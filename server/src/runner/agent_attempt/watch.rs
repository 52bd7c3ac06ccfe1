//! Runs an agent and watches it: what it prints, what it uses up, and for how long.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    future::{Fuse, FusedFuture as _},
};
use tokio::time::sleep;

use super::{
    super::{
        agents::{Cut, Ending, Exit, Launch, Reader, Told, WholeLines},
        process::{self, Input, Limits},
        sandbox::{Confinement, SandboxError},
        stop::{StopReason, stop_signal},
    },
    AgentAttempt,
    deltas::Deltas,
    keys::KeptKeys,
    told,
};

/// How often it is looked at what an agent has used up, and whether it still says something.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("{0}")]
    Sandbox(#[from] SandboxError),
    #[error("{0}.")]
    Process(#[from] io::Error),
}

/// What the lines of an agent have told so far.
struct Understanding {
    lines: WholeLines,
    reader: Box<dyn Reader>,
    deltas: Deltas,
    heard_at: Instant,
}

impl AgentAttempt<'_> {
    /// Starts the agent and returns how it ended, by its own words and by what ended it.
    pub(super) async fn watch(
        &self,
        program: &Path,
        launch: &Launch,
        kept: Option<KeptKeys>,
        reader: Box<dyn Reader>,
    ) -> Result<Ending, StartError> {
        let mask = self.mask(launch);
        let understanding = Arc::new(Mutex::new(Understanding {
            lines: WholeLines::default(),
            reader,
            deltas: Deltas::new(mask.as_ref()),
            heard_at: Instant::now(),
        }));
        let own = Arc::clone(&understanding);
        let output = self.attempt.output.understood(move |line| {
            let mut known = own.lock().unwrap_or_else(PoisonError::into_inner);
            let Understanding { lines, reader, deltas, heard_at } = &mut *known;
            *heard_at = Instant::now();
            let whole = lines.add(line);
            let steps = whole.map(|text| reader.read(line.stream, line.timestamp, &text)).unwrap_or_default();
            deltas.masked(steps)
        });

        let (own, place) = (self.workspace.own(), self.place());
        let arguments = launch.arguments.iter().map(Into::into).collect();
        let mut confined = self.confined(&own, &place, program, arguments);
        confined
            .environment
            .extend(launch.environment.iter().map(|(name, value)| (name.into(), value.into())));
        // Where its key is kept, the provider is reached with that alone.
        let of_agent = self.profile.hosts.iter().filter(|_| kept.is_none()).cloned();
        confined.provider = kept.as_ref().map(|kept| kept.provider(self.client));
        let of_repository = self.config.sandbox.allowed_for(&self.attempt.job.repository).cloned();
        confined.allow = of_agent.chain(of_repository).collect();
        let Confinement { mut command, mut refusals, guard } = self.sandbox.command(&confined)?;
        let limits = Limits {
            kill_after: self.config.runner.kill_after,
            line_bytes: self.config.output.line_bytes,
            mask,
            cookie: self.cookie(),
        };

        let (stopper, stop) = stop_signal();
        let agents = &self.config.agents;
        let begin = Instant::now();
        let mut cut = None;
        let exit = {
            let running = process::run(
                &mut command,
                Input::Bytes(launch.stdin.clone().into_bytes()),
                &output,
                &stop,
                &limits,
            );
            // Beside it: while Postgres is away somebody still has to read what the agent prints.
            let noting = Fuse::terminated();
            tokio::pin!(running, noting);
            let mut noted = Told::default();
            let exit = loop {
                let why = tokio::select! {
                    exit = &mut running => break exit,
                    () = &mut noting, if !noting.is_terminated() => continue,
                    _ = self.attempt.stop.requested(), if cut.is_none() => Cut::Canceled,
                    Some(refusal) = refusals.recv() => {
                        self.attempt.output.system(refusal.to_string()).await;
                        continue;
                    }
                    () = sleep(LOOK_EVERY) => {
                        let (now, silent) = {
                            let known = understanding.lock().unwrap_or_else(PoisonError::into_inner);
                            // What it says of its work is looked through for secrets when it has ended.
                            (Told { summary: None, ..known.reader.told().clone() }, known.heard_at.elapsed())
                        };
                        if now != noted && noting.is_terminated() {
                            noted = now.clone();
                            noting.set(self.note(move |run| told(run, &now)).fuse());
                        }
                        if begin.elapsed() >= agents.wall_clock {
                            Cut::TimeOver(agents.wall_clock)
                        } else if silent >= agents.silence {
                            Cut::Silent(agents.silence)
                        } else {
                            continue;
                        }
                    }
                };
                stopper.stop(StopReason::Canceled);
                cut.get_or_insert(why);
            };
            // It must not overtake what is noted next.
            if !noting.is_terminated() {
                noting.await;
            }
            exit?
        };
        drop(output);
        let findings = guard.finish().await;
        let exit = match (findings.limit, cut, exit) {
            (Some(limit), None, _) => Exit::Cut(Cut::Limit(limit.to_string())),
            (_, Some(cut), _) => Exit::Cut(cut),
            (None, None, process::Exit::Code(code)) => Exit::Code(code),
            (None, None, process::Exit::Signal(signal)) => Exit::Signal(signal),
            (None, None, process::Exit::Stopped) => Exit::Cut(Cut::Canceled),
        };
        let known = Arc::into_inner(understanding)
            .map(|known| known.into_inner().unwrap_or_else(PoisonError::into_inner));
        let Some(known) = known else {
            return Err(io::Error::other("its output is still being read").into());
        };
        Ok(known.reader.end(exit))
    }
}
