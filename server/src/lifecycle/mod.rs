//! The life of a job: each step is a guarded transition in Postgres, then a move in Redis, then news for everybody who
//! watches. What crashes in between is mended by `reconcile`.

mod clean;
mod conversation;
mod event;
mod feed;
mod lanes;
mod quota;
mod reconcile;
mod request;
mod retention;
mod schedule;
mod submit;
mod waiting;

use std::{sync::Arc, time::Duration};

use app::model::{ApiError, Job, JobId, JobState, Kind, Person, Priority};
use sqlx::PgPool;

pub use self::{
    clean::Cleaning,
    event::Event,
    feed::{Feed, News},
    reconcile::reconcile,
    request::{JobRequest, RequestRules},
    retention::retain,
    schedule::{ScheduleRequest, fire_due},
    submit::Submitted,
};
use crate::{
    batch::Batcher,
    census::Census,
    config::QueueConfig,
    db::{
        self, LaneCount, Motion, NewJobRow, OwnedJob, Visible,
        transitions::{self, Loss, Verdict},
    },
    metrics,
    queue::{Entry, Queue},
};
use submit::Intake;

/// How many events go in one message.
const EVENTS: usize = 64;

/// What the steps of a job need. Cloning is cheap.
#[derive(Clone)]
pub struct Lifecycle {
    db: PgPool,
    /// For the statements that each job needs.
    motion: Motion,
    queue: Queue,
    config: QueueConfig,
    intake: Intake,
    submissions: Batcher<NewJobRow, Result<Job, ApiError>>,
    /// How full the lanes are.
    census: Arc<Census<(), Vec<LaneCount>>>,
}

impl Lifecycle {
    pub fn new(db: PgPool, queue: Queue, config: QueueConfig) -> Self {
        let motion = Motion::new(&db);
        let intake = Intake::new(motion.clone(), queue.clone());
        let submissions = submit::batches(intake.clone());
        let census = Census::new(|counts: &Vec<LaneCount>| {
            counts
                .iter()
                .map(|LaneCount { running, queued, later, .. }| u64::from(running + queued + later))
                .sum()
        });
        Self { db, motion, queue, config, intake, submissions, census }
    }

    pub fn db(&self) -> &PgPool {
        &self.db
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Lets `runner` have those of the claimed jobs that Postgres still has as queued, and gives the slots of the others
    /// back.
    pub async fn start(
        &self,
        lane: Kind,
        claimed: &[JobId],
        runner: &str,
        lease: Duration,
    ) -> sqlx::Result<Vec<OwnedJob>> {
        let claimed = self.park(lane, claimed, runner).await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let mut db = self.motion.connection().await?;
        let started = transitions::start(&mut *db, &claimed, runner, lease).await?;
        db.keep();
        if started.len() < claimed.len() {
            let lost: Vec<JobId> = claimed
                .iter()
                .filter(|id| started.iter().all(|started| started.job.id != **id))
                .copied()
                .collect();
            // Nobody waits for it: what was started has to begin.
            let (this, runner) = (self.clone(), runner.to_owned());
            tokio::spawn(async move { this.release(lane, &runner, &lost).await });
        }
        metrics::started(&started);
        self.tell_later(&started);
        Ok(started)
    }

    /// Ends attempts that ran to their end, and returns those that were still this runner's. What a lost runner says of the
    /// others changes nothing.
    pub async fn finish(&self, runner: &str, verdicts: &[Verdict]) -> sqlx::Result<Vec<OwnedJob>> {
        let mut db = self.motion.connection().await?;
        let finished = transitions::finish(&mut *db, runner, verdicts).await?;
        db.keep();
        metrics::finished(&finished, verdicts);
        let release = async {
            for lane in Kind::ALL {
                let ids: Vec<JobId> = finished
                    .iter()
                    .filter(|owned| owned.job.kind == *lane)
                    .map(|owned| owned.job.id)
                    .collect();
                self.release(*lane, runner, &ids).await;
            }
        };
        release.await;
        self.tell_later(&finished);
        self.follow(&finished).await;
        Ok(finished)
    }

    /// Ends an attempt of this runner that will have no verdict; its job goes back to the queue, or ends.
    pub async fn lose(&self, job: &Job, runner: &str, loss: Loss, lines: u64) -> sqlx::Result<()> {
        let lost = transitions::lose(&self.db, job.id, job.attempt, loss, lines).await?;
        if let Some(lost) = lost {
            self.release(job.kind, runner, &[job.id]).await;
            self.requeued(lost).await;
        }
        Ok(())
    }

    /// Notes what a running attempt is doing and how far it is; what is `None` stays as it was.
    pub async fn set_progress(
        &self,
        job: &Job,
        stage: Option<&str>,
        percent: Option<u8>,
    ) -> sqlx::Result<()> {
        let changed = transitions::set_progress(&self.db, job.id, job.attempt, stage, percent).await?;
        self.changed(changed.as_slice()).await;
        Ok(())
    }

    /// Cancels a waiting job at once, and asks the runner of a running one to stop it.
    pub async fn cancel(&self, id: JobId) -> Result<(), ApiError> {
        // A job that runs may wait for its next attempt by the time that it is asked to stop.
        for _ in 0..2 {
            if let Some(canceled) = transitions::cancel_waiting(&self.db, id).await.map_err(away)? {
                let job = &canceled.job;
                if let Err(error) = self.queue.remove(job.kind, job.priority, job.id).await {
                    tracing::debug!(job.id = %id, %error, "a canceled job stays in its list; whoever claims it drops it");
                }
                self.changed(&[canceled]).await;
                return Ok(());
            }
            if let Some(running) = transitions::request_cancel(&self.db, id).await.map_err(away)? {
                self.ring_runner(id).await?;
                self.changed(&[running]).await;
                return Ok(());
            }
        }
        Err(ApiError::Conflict("The job has ended already, so there is nothing to cancel.".to_owned()))
    }

    /// Without the ring the runner of the job learns with its next heartbeat that it is to stop.
    async fn ring_runner(&self, id: JobId) -> Result<(), ApiError> {
        let attempts = db::attempts::of_job(&self.db, id).await.map_err(away)?;
        if let Some(attempt) = attempts.last() {
            let channel = self.queue.keys().runner_bell(&attempt.runner);
            let _ = self.queue.ring(&channel, b"cancel").await;
        }
        Ok(())
    }

    /// Queues a finished job again, as a new attempt.
    pub async fn retry(&self, id: JobId) -> Result<Job, ApiError> {
        let Some(queued) = transitions::retry(&self.db, id).await.map_err(away)? else {
            let ended = db::find(&self.db, id, Visible::All).await.map_err(away)?;
            let why = if ended.is_some_and(|job| job.state.is_finished()) {
                "Another job of this conversation has not ended. Wait for it, or cancel it."
            } else {
                "The job has not ended yet, so it cannot be tried again."
            };
            return Err(ApiError::Conflict(why.to_owned()));
        };
        let job = queued.job.clone();
        self.requeued(queued).await;
        Ok(job)
    }

    /// The job if this person may see it. To somebody who may not, it does not exist.
    pub async fn find(&self, person: &Person, id: JobId) -> Result<Job, ApiError> {
        let job = db::find(&self.db, id, visible_to(person)).await.map_err(away)?;
        job.ok_or_else(|| ApiError::NotFound(format!("There is no job {id}. It may have been deleted.")))
    }

    /// Queues jobs whose rows somebody else has just committed.
    pub async fn made(&self, jobs: &[OwnedJob]) {
        tokio::join!(push(&self.queue, jobs), self.changed(jobs));
    }

    /// Tells everybody who watches. What is lost here is found by their next look.
    pub async fn publish(&self, events: &[Event]) {
        publish(&self.queue, events).await;
    }

    /// Tells everybody who watches how a job stands.
    pub async fn tell(&self, jobs: &[OwnedJob]) {
        self.changed(jobs).await;
    }

    /// The same, for work that does not wait for the news to be out.
    fn tell_later(&self, jobs: &[OwnedJob]) {
        let (this, news) = (self.clone(), jobs.to_vec());
        tokio::spawn(async move { this.changed(&news).await });
    }

    async fn changed(&self, jobs: &[OwnedJob]) {
        let events: Vec<Event> =
            jobs.iter().map(|owned| Event::Job { job: owned.job.clone(), owner: owned.owner }).collect();
        self.publish(&events).await;
    }

    /// A job went back to the queue, or ended on the way there.
    async fn requeued(&self, job: OwnedJob) {
        push(&self.queue, std::slice::from_ref(&job)).await;
        self.changed(&[job]).await;
    }

    /// Gives slots back. A failure leaks them only until the reconciler looks.
    async fn release(&self, lane: Kind, runner: &str, ids: &[JobId]) {
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.queue.release(lane, runner, ids).await {
            tracing::warn!(%lane, %error, "Redis is away; slots are given back later");
        }
    }
}

async fn publish(queue: &Queue, events: &[Event]) {
    for events in events.chunks(EVENTS) {
        let Ok(message) = serde_json::to_vec(events) else { return };
        if let Err(error) = queue.ring(&queue.keys().events(), &message).await {
            tracing::debug!(%error, "a change was not announced");
        }
    }
}

/// Puts those of the jobs that Postgres has as queued into their lists. A failure loses nothing: the reconciler pushes them
/// again.
async fn push(queue: &Queue, jobs: &[OwnedJob]) {
    for lane in Kind::ALL {
        for priority in Priority::ALL {
            let entries: Vec<Entry<'_>> = jobs
                .iter()
                .filter(|OwnedJob { job, .. }| {
                    job.state == JobState::Queued && job.kind == *lane && job.priority == *priority
                })
                .map(|OwnedJob { job, owner }| Entry {
                    id: job.id,
                    person: *owner,
                    repository: &job.repository,
                })
                .collect();
            if entries.is_empty() {
                continue;
            }
            if let Err(error) = queue.push(*lane, *priority, &entries).await {
                tracing::warn!(jobs = entries.len(), %error, "Redis is away; jobs are queued again when it is back");
            }
        }
    }
}

/// Whose jobs somebody may see: the one place that decides it, for pages, server functions and the API.
pub fn visible_to(person: &Person) -> Visible {
    match person.role {
        app::model::Role::Owner => Visible::All,
        app::model::Role::Member => Visible::Of(person.id),
    }
}

/// What a person is told when Postgres fails; the reason is for the log.
pub fn away(error: sqlx::Error) -> ApiError {
    if db::is_passing(&error) {
        tracing::warn!(%error, "Postgres is away");
        return ApiError::Unavailable(
            "The database is away for a moment. Nothing was lost; please try again.".to_owned(),
        );
    }
    tracing::error!(%error, "a query failed");
    ApiError::Internal
}
