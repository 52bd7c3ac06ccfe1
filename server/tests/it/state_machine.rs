//! The state machine against a model of it: two runners, people and the reconciler do things to a job and to its follow-up
//! in every order, and what Postgres has must be what the model says.

use std::time::Duration;

use app::model::{AttemptState, JobId, JobState, Kind, Priority, Role, Timestamp, Trigger, UserId};
use chrono::{TimeDelta, Utc};
use millrace::db::{
    self, Conversation, NewJobRow, Visible, people, quotas,
    transitions::{self, Loss, Outcome, Verdict},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::harness::Stack;

/// How many orders are tried; `MILLRACE_INTERLEAVINGS=100000` tries more, which takes a quarter of an hour.
const INTERLEAVINGS: u32 = 20_000;
/// They are shared out among so many threads with a database each: nobody else promotes what waits there.
const THREADS: u32 = 4;
/// The most steps of one order.
const STEPS: usize = 12;
const RUNNERS: [&str; 2] = ["one", "two"];
const AGENT: &str = "codex";
const LEASE: Duration = Duration::from_secs(3600);
const MAX_ATTEMPTS: u32 = 2;
/// Losses after which a job is taken for the cause.
const POISON: u32 = 3;
/// Far away.
const SOME_DAY: Timestamp = Timestamp(4_000_000_000_000);
/// The job, and the one that goes on where it stopped.
const FIRST: usize = 0;
const FOLLOW_UP: usize = 1;

/// Something that happens to one of the jobs.
#[derive(Clone, Debug)]
struct Step {
    job: usize,
    what: What,
}

/// `behind` is how many attempts ago the one was that somebody believes to hold.
#[derive(Clone, Copy, Debug)]
enum What {
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
    /// Its runner cannot say how it ended.
    NoVerdict {
        behind: u32,
    },
    Cancel,
    Retry,
    /// The time of what waits for one has come.
    Promote,
    /// What waits for the job before it is looked at.
    PromoteFollowers,
    /// It is claimed, but its agent's quota is used up.
    Park,
    /// The quota is there again.
    Unpark,
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
    let job = prop_oneof![3 => Just(FIRST), 2 => Just(FOLLOW_UP)];
    (job, what()).prop_map(|(job, what)| Step { job, what })
}

fn what() -> impl Strategy<Value = What> {
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
        6 => runner.clone().prop_map(|runner| What::Start { runner }),
        6 => (runner, behind.clone(), how).prop_map(|(runner, behind, how)| What::Finish { runner, behind, how }),
        3 => behind.clone().prop_map(|behind| What::Expire { behind }),
        1 => behind.clone().prop_map(|behind| What::MistakenExpire { behind }),
        2 => behind.clone().prop_map(|behind| What::HandBack { behind }),
        1 => behind.clone().prop_map(|behind| What::NoVerdict { behind }),
        2 => Just(What::Cancel),
        2 => Just(What::Retry),
        3 => Just(What::Promote),
        3 => Just(What::PromoteFollowers),
        2 => Just(What::Park),
        1 => Just(What::Unpark),
        1 => behind.prop_map(|behind| What::Progress { behind }),
    ]
}

/// What a job should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct JobModel {
    state: JobState,
    attempt: u32,
    failures: u32,
    losses: u32,
    cancel_requested: bool,
    /// It waits for a time.
    has_time: bool,
    /// Who executes it.
    holder: Option<usize>,
}

/// What both should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    jobs: [JobModel; 2],
}

impl JobModel {
    fn new(state: JobState) -> Self {
        Self {
            state,
            attempt: 0,
            failures: 0,
            losses: 0,
            cancel_requested: false,
            has_time: false,
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

    fn lost(&mut self, deaths: u32) {
        self.losses += deaths;
        self.holder = None;
        self.state = if self.cancel_requested {
            JobState::Canceled
        } else if self.losses >= POISON {
            JobState::Failed
        } else {
            JobState::Queued
        };
    }

    fn queue(&mut self) {
        self.state = JobState::Queued;
        self.has_time = false;
    }

    fn is_waiting_for(&self, what: JobState) -> bool {
        self.state == what && self.has_time
    }
}

impl Model {
    fn new(is_delayed: bool) -> Self {
        let follow_up = JobModel { has_time: is_delayed, ..JobModel::new(JobState::Scheduled) };
        Self { jobs: [JobModel::new(JobState::Queued), follow_up] }
    }

    fn after(mut self, step: &Step) -> Self {
        let [first, follow_up] = &self.jobs;
        let (first_is_open, follow_up_is_open) = (!first.state.is_finished(), !follow_up.state.is_finished());
        let (follows, other_is_open) = match step.job {
            FIRST => (false, follow_up_is_open),
            _ => (first_is_open, first_is_open),
        };
        let job = &mut self.jobs[step.job];
        match step.what {
            What::Start { runner } if job.state == JobState::Queued => {
                job.state = JobState::Running;
                job.attempt += 1;
                job.cancel_requested = false;
                job.holder = Some(runner);
            }
            What::Finish { runner, behind, how }
                if job.runs_as(job.meant(behind)) && job.holder == Some(runner) =>
            {
                job.holder = None;
                job.state = match how {
                    How::Succeeded => JobState::Succeeded,
                    How::Canceled => JobState::Canceled,
                    How::QuotaUsedUp if !job.cancel_requested => JobState::Parked,
                    How::Failed if job.failures + 1 < MAX_ATTEMPTS && !job.cancel_requested => {
                        JobState::Scheduled
                    }
                    How::Failed | How::FailedForGood | How::QuotaUsedUp => JobState::Failed,
                };
                job.has_time = !job.state.is_finished();
                let failed = matches!(job.state, JobState::Scheduled | JobState::Failed);
                job.failures += u32::from(failed);
            }
            What::Expire { behind } | What::NoVerdict { behind } if job.runs_as(job.meant(behind)) => {
                job.lost(1);
            }
            What::HandBack { behind } if job.runs_as(job.meant(behind)) => job.lost(0),
            What::Cancel => match job.state {
                JobState::Queued | JobState::Scheduled | JobState::Parked => {
                    job.state = JobState::Canceled;
                    job.cancel_requested = true;
                }
                JobState::Running => job.cancel_requested = true,
                _ => {}
            },
            What::Retry if job.state.is_finished() && !other_is_open => {
                *job = JobModel { attempt: job.attempt, ..JobModel::new(JobState::Queued) };
            }
            What::Promote if job.is_waiting_for(JobState::Scheduled) && follows => job.has_time = false,
            What::Promote
                if job.is_waiting_for(JobState::Scheduled) || job.is_waiting_for(JobState::Parked) =>
            {
                job.queue();
            }
            What::PromoteFollowers if !first_is_open => {
                let follow_up = &mut self.jobs[FOLLOW_UP];
                if follow_up.state == JobState::Scheduled && !follow_up.has_time {
                    follow_up.queue();
                }
            }
            What::Park if job.state == JobState::Queued => {
                job.state = JobState::Parked;
                job.has_time = true;
            }
            What::Unpark => {
                let parked = self.jobs.iter_mut().filter(|job| job.state == JobState::Parked);
                parked.for_each(JobModel::queue);
            }
            _ => {}
        }
        self
    }
}

/// Does it to the job in Postgres.
async fn perform(db: &PgPool, id: JobId, model: &JobModel, what: What) -> sqlx::Result<()> {
    let meant = |behind: u32| model.meant(behind);
    match what {
        What::Start { runner } => {
            transitions::start(db, &[id], RUNNERS[runner], LEASE).await?;
        }
        What::Finish { runner, behind, how } => {
            let outcome = match how {
                How::Succeeded => Outcome::succeeded(Some(0)),
                How::Failed => Outcome::failed("failed"),
                How::FailedForGood => Outcome::failed("failed").and_never_again(),
                How::QuotaUsedUp => Outcome::failed("quota").parked_until(SOME_DAY),
                How::Canceled => Outcome::canceled(),
            };
            let verdict = Verdict { id, attempt: meant(behind), outcome, lines: 0 };
            transitions::finish(db, RUNNERS[runner], &[verdict]).await?;
        }
        What::Expire { behind } => {
            sqlx::query("UPDATE attempts SET lease_expires_at = now() - interval '1 second' WHERE job_id = $1 AND attempt = $2")
                .bind(id.as_uuid())
                .bind(i32::try_from(meant(behind)).unwrap())
                .execute(db)
                .await?;
            transitions::lose(db, id, meant(behind), Loss::LeaseExpired, 0).await?;
        }
        What::MistakenExpire { behind } => {
            transitions::lose(db, id, meant(behind), Loss::LeaseExpired, 0).await?;
        }
        What::HandBack { behind } => {
            transitions::lose(db, id, meant(behind), Loss::HandedBack, 0).await?;
        }
        What::NoVerdict { behind } => {
            transitions::lose(db, id, meant(behind), Loss::NoVerdict("no".to_owned()), 0).await?;
        }
        What::Cancel => {
            if transitions::cancel_waiting(db, id).await?.is_none() {
                transitions::request_cancel(db, id).await?;
            }
        }
        What::Retry => {
            transitions::retry(db, id).await?;
        }
        What::Promote => {
            sqlx::query("UPDATE jobs SET run_at = now() - interval '1 second' WHERE id = $1 AND state IN ('scheduled', 'parked') AND run_at IS NOT NULL")
                .bind(id.as_uuid())
                .execute(db)
                .await?;
            transitions::promote(db, 1000).await?;
        }
        What::PromoteFollowers => {
            transitions::promote_followers(db, 1000).await?;
        }
        What::Park => {
            transitions::park(db, &[id]).await?;
        }
        What::Unpark => {
            transitions::unpark(db, AGENT).await?;
        }
        What::Progress { behind } => {
            transitions::set_progress(db, id, meant(behind), Some("stage"), Some(50)).await?;
        }
    }
    Ok(())
}

async fn check(db: &PgPool, is_delayed: bool, steps: &[Step], owner: UserId) -> Result<(), TestCaseError> {
    let failed = |error: sqlx::Error| TestCaseError::fail(error.to_string());
    let ids = [JobId::new(), JobId::new()];
    db::insert(db, &[new_job(ids[FIRST], owner)]).await.map_err(failed)?;
    let follow_up = NewJobRow {
        conversation: Some(Conversation { parent: ids[FIRST], thread: ids[FIRST], branch: None }),
        run_at: is_delayed.then(|| Utc::now() + TimeDelta::hours(1)),
        ..new_job(ids[FOLLOW_UP], owner)
    };
    db::insert(db, &[follow_up]).await.map_err(failed)?;
    let mut model = Model::new(is_delayed);
    let mut revisions = [0; 2];
    for step in steps {
        perform(db, ids[step.job], &model.jobs[step.job], step.what).await.map_err(failed)?;
        let before = model.clone();
        model = model.after(step);
        let jobs = db::conversation(db, ids[FIRST], Visible::All, 2).await.map_err(failed)?;
        prop_assert_eq!(jobs.len(), 2);
        for (number, (job, model)) in jobs.iter().zip(&model.jobs).enumerate() {
            let has_time = job.run_at.is_some() && !job.state.is_finished();
            prop_assert_eq!(
                (job.state, job.attempt, job.cancel_requested, has_time),
                (
                    model.state,
                    model.attempt,
                    model.cancel_requested,
                    model.has_time && !model.state.is_finished()
                ),
                "job {} after {:?}, from {:?}",
                number,
                step,
                before
            );
            if *model != before.jobs[number] {
                prop_assert!(
                    job.revision > revisions[number],
                    "{:?} changed a job without a new revision",
                    step
                );
            }
            revisions[number] = job.revision;
        }
        let at_work =
            jobs.iter().filter(|job| matches!(job.state, JobState::Queued | JobState::Running)).count();
        prop_assert!(at_work <= 1, "both jobs of a conversation work on its branch after {:?}", step);
    }
    for (id, model) in ids.iter().zip(&model.jobs) {
        let attempts = db::attempts::of_job(db, *id).await.map_err(failed)?;
        prop_assert_eq!(attempts.len(), model.attempt as usize, "each start is an attempt");
        let running = attempts.iter().filter(|attempt| attempt.state == AttemptState::Running).count();
        prop_assert_eq!(running, usize::from(model.state == JobState::Running), "one runs at most");
        if let Some(holder) = model.holder {
            prop_assert_eq!(attempts.last().map(|attempt| attempt.runner.as_str()), Some(RUNNERS[holder]));
        }
    }
    // So that the next ones stay as fast, and have nobody else's job to promote.
    sqlx::query("DELETE FROM jobs").execute(db).await.map_err(failed)?;
    Ok(())
}

fn new_job(id: JobId, owner: UserId) -> NewJobRow {
    NewJobRow {
        id,
        kind: Kind::Agent,
        priority: Priority::Normal,
        max_attempts: MAX_ATTEMPTS,
        // Never over within the test.
        backoff_ms: 3_600_000,
        title: "Count the files".to_owned(),
        repository: "https://localhost/x".to_owned(),
        git_ref: None,
        agent: Some(AGENT.to_owned()),
        model: None,
        trigger: Trigger::Api,
        created_by: owner,
        requested_by: "owner".to_owned(),
        run_at: None,
        script: None,
        prompt: Some("Count the files".to_owned()),
        conversation: None,
        branch: None,
    }
}

/// Tries some orders in a database of their own.
async fn try_orders(cases: u32) {
    let database = Stack::get().database(&uuid::Uuid::new_v4().simple().to_string()).await;
    let options = database.url.parse::<sqlx::postgres::PgConnectOptions>().unwrap();
    let options = options.options([("synchronous_commit", "off")]);
    let one = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
    let db = db::with_kept_plans(&one.connect_lazy_with(options));
    let owner = people::find_or_create(&db, "owner", Role::Owner).await.unwrap().id;
    quotas::use_up(&db, AGENT, "none left", chrono::DateTime::from_timestamp_millis(SOME_DAY.0))
        .await
        .unwrap();

    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::block_in_place(|| {
        let orders = (any::<bool>(), prop::collection::vec(step(), 1..=STEPS));
        TestRunner::new(config)
            .run(&orders, |(is_delayed, steps)| runtime.block_on(check(&db, is_delayed, &steps, owner)))
    });
    db.close().await;
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_whichever_order_things_happen_a_job_goes_only_where_it_may() {
    let all = std::env::var("MILLRACE_INTERLEAVINGS").ok().and_then(|text| text.parse().ok());
    let cases = all.unwrap_or(INTERLEAVINGS) / THREADS;
    let threads: Vec<_> = (0..THREADS).map(|_| tokio::spawn(try_orders(cases))).collect();
    for thread in threads {
        thread.await.unwrap();
    }
}
