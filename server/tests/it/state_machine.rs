//! The state machine against a model of it: two runners, people and the reconciler do things to a job in every order, and
//! what Postgres has must be what the model says.

use std::time::Duration;

use app::model::{AttemptState, JobId, JobState, Kind, Priority, Timestamp, Trigger, UserId};
use millrace::db::{
    self, NewJobRow, Visible,
    transitions::{self, Loss, Outcome, Verdict},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::harness::App;

/// How many orders are tried; `MILLRACE_INTERLEAVINGS=100000` tries more, which takes minutes.
const INTERLEAVINGS: u32 = 20_000;
/// They are shared out among so many threads with a connection each.
const THREADS: u32 = 4;
/// The most steps of one order.
const STEPS: usize = 12;
const RUNNERS: [&str; 2] = ["one", "two"];
const LEASE: Duration = Duration::from_secs(3600);
const MAX_ATTEMPTS: u32 = 2;
/// Losses after which a job is taken for the cause.
const POISON: u32 = 3;

/// Something that happens to the job. `behind` is how many attempts ago the one was that somebody believes to hold.
#[derive(Clone, Debug)]
enum Step {
    Start {
        runner: usize,
    },
    Finish {
        runner: usize,
        behind: u32,
        how: How,
    },
    /// The lease runs out, and the reconciler sees it.
    Expire {
        behind: u32,
    },
    /// The reconciler thinks that the lease ran out, but it was renewed.
    MistakenExpire {
        behind: u32,
    },
    HandBack {
        behind: u32,
    },
    Cancel,
    Retry,
    /// The time of what waits for one has come.
    Promote,
    Progress {
        behind: u32,
    },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Succeeded,
    Failed,
    FailedForGood,
    QuotaUsedUp,
    Canceled,
}

fn step() -> impl Strategy<Value = Step> {
    let runner = 0..RUNNERS.len();
    // Mostly the present attempt; sometimes an old one.
    let behind = prop_oneof![4 => Just(0_u32), 1 => 1_u32..3];
    let how = prop_oneof![
        Just(How::Succeeded),
        Just(How::Failed),
        Just(How::FailedForGood),
        Just(How::QuotaUsedUp),
        Just(How::Canceled)
    ];
    prop_oneof![
        5 => runner.clone().prop_map(|runner| Step::Start { runner }),
        5 => (runner, behind.clone(), how).prop_map(|(runner, behind, how)| Step::Finish { runner, behind, how }),
        3 => behind.clone().prop_map(|behind| Step::Expire { behind }),
        1 => behind.clone().prop_map(|behind| Step::MistakenExpire { behind }),
        2 => behind.clone().prop_map(|behind| Step::HandBack { behind }),
        2 => Just(Step::Cancel),
        2 => Just(Step::Retry),
        3 => Just(Step::Promote),
        1 => behind.prop_map(|behind| Step::Progress { behind }),
    ]
}

/// What the job should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    state: JobState,
    attempt: u32,
    failures: u32,
    losses: u32,
    cancel_requested: bool,
    /// Who executes it.
    holder: Option<usize>,
}

impl Model {
    fn new() -> Self {
        Self {
            state: JobState::Queued,
            attempt: 0,
            failures: 0,
            losses: 0,
            cancel_requested: false,
            holder: None,
        }
    }

    fn runs_as(&self, attempt: u32) -> bool {
        self.state == JobState::Running && self.attempt == attempt
    }

    /// The attempt that somebody means.
    fn meant(&self, behind: u32) -> u32 {
        self.attempt.saturating_sub(behind)
    }

    fn after(mut self, step: &Step) -> Self {
        match *step {
            Step::Start { runner } if self.state == JobState::Queued => {
                self.state = JobState::Running;
                self.attempt += 1;
                self.cancel_requested = false;
                self.holder = Some(runner);
            }
            Step::Finish { runner, behind, how }
                if self.runs_as(self.meant(behind)) && self.holder == Some(runner) =>
            {
                self.holder = None;
                self.state = match how {
                    How::Succeeded => JobState::Succeeded,
                    How::Canceled => JobState::Canceled,
                    How::QuotaUsedUp if !self.cancel_requested => JobState::Parked,
                    How::Failed if self.failures + 1 < MAX_ATTEMPTS && !self.cancel_requested => {
                        JobState::Scheduled
                    }
                    How::Failed | How::FailedForGood | How::QuotaUsedUp => JobState::Failed,
                };
                let failed = matches!(self.state, JobState::Scheduled | JobState::Failed);
                self.failures += u32::from(failed);
            }
            Step::Expire { behind } if self.runs_as(self.meant(behind)) => {
                self.losses += 1;
                self.lost();
            }
            Step::HandBack { behind } if self.runs_as(self.meant(behind)) => self.lost(),
            Step::Cancel => match self.state {
                JobState::Queued | JobState::Scheduled | JobState::Parked => {
                    self.state = JobState::Canceled;
                    self.cancel_requested = true;
                }
                JobState::Running => self.cancel_requested = true,
                _ => {}
            },
            Step::Retry if self.state.is_finished() => {
                self = Self { attempt: self.attempt, ..Self::new() };
            }
            Step::Promote if matches!(self.state, JobState::Scheduled | JobState::Parked) => {
                self.state = JobState::Queued;
            }
            _ => {}
        }
        self
    }

    fn lost(&mut self) {
        self.holder = None;
        self.state = if self.cancel_requested {
            JobState::Canceled
        } else if self.losses >= POISON {
            JobState::Failed
        } else {
            JobState::Queued
        };
    }
}

/// Does it to the job in Postgres.
async fn perform(db: &PgPool, id: JobId, model: &Model, step: &Step) -> sqlx::Result<()> {
    let meant = |behind: u32| model.meant(behind);
    match *step {
        Step::Start { runner } => {
            transitions::start(db, &[id], RUNNERS[runner], LEASE).await?;
        }
        Step::Finish { runner, behind, how } => {
            let outcome = match how {
                How::Succeeded => Outcome::succeeded(Some(0)),
                How::Failed => Outcome::failed("failed"),
                How::FailedForGood => Outcome::failed("failed").and_never_again(),
                How::QuotaUsedUp => Outcome::failed("quota").parked_until(Timestamp(4_000_000_000_000)),
                How::Canceled => Outcome::canceled(),
            };
            let verdict = Verdict { id, attempt: meant(behind), outcome, lines: 0 };
            transitions::finish(db, RUNNERS[runner], &[verdict]).await?;
        }
        Step::Expire { behind } => {
            sqlx::query("UPDATE attempts SET lease_expires_at = now() - interval '1 second' WHERE job_id = $1 AND attempt = $2")
                .bind(id.as_uuid())
                .bind(i32::try_from(meant(behind)).unwrap())
                .execute(db)
                .await?;
            transitions::lose(db, id, meant(behind), Loss::LeaseExpired, 0).await?;
        }
        Step::MistakenExpire { behind } => {
            transitions::lose(db, id, meant(behind), Loss::LeaseExpired, 0).await?;
        }
        Step::HandBack { behind } => {
            transitions::lose(db, id, meant(behind), Loss::HandedBack, 0).await?;
        }
        Step::Cancel => {
            if transitions::cancel_waiting(db, id).await?.is_none() {
                transitions::request_cancel(db, id).await?;
            }
        }
        Step::Retry => {
            transitions::retry(db, id).await?;
        }
        Step::Promote => {
            sqlx::query("UPDATE jobs SET run_at = now() WHERE id = $1 AND state IN ('scheduled', 'parked')")
                .bind(id.as_uuid())
                .execute(db)
                .await?;
            // Another thread may have the row in its hands in this moment, and then does it.
            while is_waiting(db, id).await? {
                transitions::promote(db, 1000).await?;
            }
        }
        Step::Progress { behind } => {
            transitions::set_progress(db, id, meant(behind), Some("stage"), Some(50)).await?;
        }
    }
    Ok(())
}

async fn is_waiting(db: &PgPool, id: JobId) -> sqlx::Result<bool> {
    let job = db::find(db, id, Visible::All).await?;
    Ok(job.is_some_and(|job| matches!(job.state, JobState::Scheduled | JobState::Parked)))
}

async fn check(db: &PgPool, steps: &[Step], owner: UserId) -> Result<(), TestCaseError> {
    let failed = |error: sqlx::Error| TestCaseError::fail(error.to_string());
    let id = JobId::new();
    db::insert(db, &[new_job(id, owner)]).await.map_err(failed)?;
    let mut model = Model::new();
    let mut revision = 0;
    for step in steps {
        perform(db, id, &model, step).await.map_err(failed)?;
        let before = model.clone();
        model = model.after(step);
        let job = db::find(db, id, Visible::All).await.map_err(failed)?.unwrap();
        prop_assert_eq!(
            (job.state, job.attempt, job.cancel_requested),
            (model.state, model.attempt, model.cancel_requested),
            "after {:?}, from {:?}",
            step,
            before
        );
        if model != before {
            prop_assert!(job.revision > revision, "{:?} changed the job without a new revision", step);
        }
        revision = job.revision;
    }
    let attempts = db::attempts::of_job(db, id).await.map_err(failed)?;
    prop_assert_eq!(attempts.len(), model.attempt as usize, "each start is an attempt");
    let running = attempts.iter().filter(|attempt| attempt.state == AttemptState::Running).count();
    prop_assert_eq!(running, usize::from(model.state == JobState::Running), "one runs at most");
    if let Some(holder) = model.holder {
        prop_assert_eq!(attempts.last().map(|attempt| attempt.runner.as_str()), Some(RUNNERS[holder]));
    }
    // So that the next ones stay as fast.
    sqlx::query("DELETE FROM jobs WHERE id = $1").bind(id.as_uuid()).execute(db).await.map_err(failed)?;
    Ok(())
}

fn new_job(id: JobId, owner: UserId) -> NewJobRow {
    NewJobRow {
        id,
        kind: Kind::Command,
        priority: Priority::Normal,
        max_attempts: MAX_ATTEMPTS,
        // Never over within the test.
        backoff_ms: 3_600_000,
        title: "true".to_owned(),
        repository: "https://localhost/x".to_owned(),
        git_ref: None,
        agent: None,
        model: None,
        trigger: Trigger::Api,
        created_by: owner,
        requested_by: "owner".to_owned(),
        run_at: None,
        script: Some("true".to_owned()),
        prompt: None,
        conversation: None,
        branch: None,
    }
}

#[tokio::test]
async fn in_whichever_order_things_happen_a_job_goes_only_where_it_may() {
    let app = App::start().await;
    let owner = app.person("owner", app::model::Role::Owner).await.id;
    let all = std::env::var("MILLRACE_INTERLEAVINGS").ok().and_then(|text| text.parse().ok());
    let cases = all.unwrap_or(INTERLEAVINGS) / THREADS;
    let options = app.db().connect_options().as_ref().clone();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let options = options.clone().options([("synchronous_commit", "off")]);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let db = runtime.block_on(async {
                    PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
                });
                let config = Config { cases, failure_persistence: None, ..Config::default() };
                let steps = prop::collection::vec(step(), 1..=STEPS);
                let checked =
                    TestRunner::new(config).run(&steps, |steps| runtime.block_on(check(&db, &steps, owner)));
                if let Err(error) = checked {
                    panic!("{error}");
                }
            })
        })
        .collect();
    for thread in threads {
        let ended = tokio::task::spawn_blocking(move || thread.join()).await.unwrap();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}
