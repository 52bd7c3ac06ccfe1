//! How a running attempt is told to stop, and why.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why an attempt stops before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody canceled the job.
    Canceled,
    /// The lease is gone: the job is somebody else's now.
    Lost,
    /// This runner stops and gives the job back.
    RunnerStops,
}

/// The end that stops. The first reason stays.
pub struct Stopper(watch::Sender<Option<StopReason>>);

/// The end that is stopped.
#[derive(Clone)]
pub struct StopSignal(watch::Receiver<Option<StopReason>>);

/// How a runner is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new, and let what runs end.
    pub stop: CancellationToken,
    /// Give back what still runs.
    pub hurry: CancellationToken,
}

pub(super) fn stop_signal() -> (Stopper, StopSignal) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), StopSignal(receiver))
}

impl Stopper {
    pub fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|current| {
            let is_first = current.is_none();
            current.get_or_insert(reason);
            is_first
        });
    }
}

impl StopSignal {
    /// Why to stop, if so.
    pub fn reason(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits until the attempt is to stop.
    pub async fn requested(&self) -> StopReason {
        let mut receiver = self.0.clone();
        match receiver.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // Nobody is left who could stop it.
            _ => std::future::pending().await,
        }
    }
}
