//! Work that is cheaper for many at once: whoever comes while a batch is under way goes with the next one. Nobody waits
//! for company, so that a single piece of work takes no longer than it would alone.

use tokio::sync::{mpsc, oneshot};

/// How many may wait for their batch; more wait at the door.
const WAITING: usize = 1024;

/// The way into the batches. Cloning is cheap.
#[derive(Debug)]
pub struct Batcher<T, R> {
    sender: mpsc::Sender<(T, oneshot::Sender<R>)>,
}

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<T: Send + 'static, R: Send + 'static> Batcher<T, R> {
    /// `work` answers each piece at its place, for `most` pieces at a time; `lanes` batches may be under way at once. Ends
    /// when the last clone is dropped.
    pub fn start<F>(
        most: usize,
        lanes: usize,
        work: impl Fn(Vec<T>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<R>> + Send,
    {
        let (sender, receiver) = mpsc::channel::<(T, oneshot::Sender<R>)>(WAITING);
        let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
        for _ in 0..lanes {
            let (receiver, work) = (receiver.clone(), work.clone());
            tokio::spawn(async move {
                loop {
                    let pieces = next(&mut *receiver.lock().await, most).await;
                    if pieces.is_empty() {
                        return;
                    }
                    let (pieces, answers): (Vec<T>, Vec<_>) = pieces.into_iter().unzip();
                    for (answer, done) in answers.into_iter().zip(work(pieces).await) {
                        // Who has gone away meanwhile needs no answer.
                        let _ = answer.send(done);
                    }
                }
            });
        }
        Self { sender }
    }

    /// Has a piece of work done. `None` when the work failed to answer, which is a bug in it.
    pub async fn call(&self, piece: T) -> Option<R> {
        let (answer, done) = oneshot::channel();
        self.sender.send((piece, answer)).await.ok()?;
        done.await.ok()
    }
}

/// The first piece that comes, and those that are ready as well, whose senders only have to be let run: several often wait
/// for the same thing, and go on together. Nothing when no more can come.
async fn next<P>(receiver: &mut mpsc::Receiver<P>, most: usize) -> Vec<P> {
    let mut pieces = Vec::new();
    let mut before = 0;
    receiver.recv_many(&mut pieces, most).await;
    while before < pieces.len() && pieces.len() < most {
        before = pieces.len();
        tokio::task::yield_now().await;
        while pieces.len() < most
            && let Ok(piece) = receiver.try_recv()
        {
            pieces.push(piece);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_comes_meanwhile_goes_together_and_everybody_gets_their_own_answer() {
        let (gate, batches) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (door, count) = (gate.clone(), batches.clone());
        let doubler = Batcher::start(100, 1, move |numbers: Vec<u32>| {
            let (door, count) = (door.clone(), count.clone());
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = door.acquire().await;
                numbers.into_iter().map(|number| number * 2).collect()
            }
        });

        let all = tokio::spawn({
            let doubler = doubler.clone();
            async move { join_all((0..50).map(|number| doubler.call(number))).await }
        });
        while batches.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);

        let answers: Vec<u32> = all.await.unwrap().into_iter().flatten().collect();
        assert_eq!(answers, (0..50).map(|number| number * 2).collect::<Vec<_>>());
        assert!(batches.load(Ordering::Relaxed) <= 2);
    }
}
