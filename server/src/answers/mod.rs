//! What GitHub is told of jobs: eyes on what was asked, one comment that is edited as the job goes, a check run, and in the
//! end a pull request with the work.
//!
//! The rows of `github_answers` say what is left to tell. Any server may claim a row that is due; it looks at GitHub whether
//! a step was done before it does it, and notes it afterwards, so that a server may die anywhere and nothing is said twice.

mod plain;
mod say;
mod tell;
mod words;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::say::say;
use self::tell::{Stopped, Told};
use crate::{
    config::Config,
    connection::{Connection, ConnectionError},
    db::answers::{self, Answer, Next},
    github::GitHubError,
    lifecycle::Lifecycle,
};

/// How often the table is looked at, in case a bell was not heard.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Changes of jobs that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(100);
/// How many answers are worked on at once.
const AT_ONCE: usize = 8;
/// For how long an answer is claimed, renewed by each step. One request that writes takes less.
const LEASE: Duration = Duration::from_secs(45);
/// A comment is edited no more often than this.
const CALM: Duration = Duration::from_secs(3);
/// The pause after the first failure, doubled with each further one up to the longest.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(10);
/// How often something is tried that does not pass by itself.
const TRIES: i32 = 4;
/// How long answers may take to end when the server stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Tells GitHub.
pub struct Answers {
    connection: Connection,
    lifecycle: Lifecycle,
    config: Arc<Config>,
}

impl Answers {
    pub fn new(connection: Connection, lifecycle: Lifecycle, config: Arc<Config>) -> Arc<Self> {
        Arc::new(Self { connection, lifecycle, config })
    }

    /// Tells whatever there is to tell until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let queue = self.lifecycle.queue();
        let mut bell = queue.bells().listen(&queue.keys().answers_bell());
        let mut events = queue.bells().listen(&queue.keys().events());
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut telling = JoinSet::new();
        // While nothing is open, what happens to jobs is nothing to look at.
        let mut any_open = true;
        loop {
            tokio::select! {
                _ = bell.heard() => bell.catch_up(),
                _ = events.heard(), if any_open => {
                    sleep(GATHER).await;
                    events.catch_up();
                }
                // Where more is due than is worked on at once, the next one begins.
                Some(_) = telling.join_next() => {}
                _ = tick.tick() => {}
                () = stop.cancelled() => break,
            }
            any_open = match self.look(&mut telling).await {
                Ok(any_open) => any_open,
                Err(error) => {
                    tracing::warn!(%error, "GitHub is told later");
                    sleep(LOOK_EVERY).await;
                    true
                }
            };
        }
        let rest = async { while telling.join_next().await.is_some() {} };
        if timeout(STOP_LIMIT, rest).await.is_err() {
            tracing::info!("GitHub is told the rest by another server, or after the next start");
        }
    }

    /// Begins with the answers that are due, and says whether any are open.
    async fn look(self: &Arc<Self>, telling: &mut JoinSet<()>) -> sqlx::Result<bool> {
        let db = self.lifecycle.db();
        let free = AT_ONCE.saturating_sub(telling.len());
        if free == 0 {
            return Ok(true);
        }
        for answer in answers::claim(db, LEASE, i64::try_from(free).unwrap_or(1)).await? {
            let own = Arc::clone(self);
            telling.spawn(async move { own.answer(answer).await });
        }
        answers::any_open(db).await
    }

    /// One try.
    async fn answer(&self, mut answer: Answer) {
        let (revision, problem, next) = match self.tell(&mut answer).await {
            Ok(told) => {
                let next = next_after(&told, answer.tries);
                (told.revision, told.problem, next)
            }
            Err(Stopped::Lost) => return,
            Err(Stopped::Failed { error, revision, is_finished }) => {
                let next = match retry_at(&error, answer.tries, Utc::now()) {
                    Some(at) => Next::Again(at),
                    None if is_finished => Next::Done,
                    // The job's next change is a new reason to try.
                    None => Next::After(CALM),
                };
                (revision, Some(error.to_string()), next)
            }
        };
        if let Some(problem) = &problem {
            tracing::warn!(job.id = %answer.job, repository = %answer.repository, tries = answer.tries, problem, ?next,
                "GitHub could not be told");
        }
        let ended = answers::end(self.lifecycle.db(), &answer, revision, problem.as_deref(), &next).await;
        if let Err(error) = ended {
            tracing::warn!(job.id = %answer.job, %error, "what GitHub was told is noted after the next look at it");
        }
    }
}

fn next_after(told: &Told, tries: i32) -> Next {
    match told {
        Told { is_finished: false, .. } => Next::After(CALM),
        Told { problem: Some(_), .. } if tries < TRIES => Next::Again(Utc::now() + pause(tries)),
        _ => Next::Done,
    }
}

/// When to try again; `None` for what does not pass by itself and was tried often enough.
fn retry_at(error: &ConnectionError, tries: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match error {
        ConnectionError::GitHub(GitHubError::RateLimited { until }) => Some((*until).max(now + FIRST_PAUSE)),
        ConnectionError::GitHub(error) if error.may_pass() => Some(now + pause(tries)),
        ConnectionError::Database(_) => Some(now + pause(tries)),
        _ => (tries < TRIES).then(|| now + pause(tries)),
    }
}

fn pause(tries: i32) -> TimeDelta {
    let doubled = 1 << (tries - 1).clamp(0, 16);
    (FIRST_PAUSE * doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_again_and_the_rest_is_given_up() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let at = |error: GitHubError, tries| {
            retry_at(&ConnectionError::GitHub(error), tries, now).map(|at| at.timestamp() - 1_000)
        };
        let until = now + TimeDelta::minutes(40);
        assert_eq!(at(GitHubError::RateLimited { until }, 1), Some(2_400));
        assert_eq!(at(GitHubError::Away("cut".to_owned()), 1), Some(2));
        assert_eq!(at(GitHubError::Away("cut".to_owned()), 3), Some(8));
        assert_eq!(at(GitHubError::Away("cut".to_owned()), 1_000), Some(600));
        assert_eq!(at(GitHubError::NotFound, 2), Some(4));
        assert_eq!(at(GitHubError::NotFound, TRIES), None);
    }
}
