//! The life of a job: each step is a guarded transition in Postgres, then a move in Redis, then news for everybody who
//! watches. What crashes in between is mended by `reconcile`.

mod event;
mod feed;
mod reconcile;
mod request;

use std::time::Duration;

use app::model::{ApiError, Job, JobId, Kind, Person};
use futures::future::join_all;
use sqlx::PgPool;

pub use self::{
    event::Event,
    feed::{Feed, News},
    reconcile::reconcile,
    request::{JobRequest, RequestRules},
};
use crate::{
    db::{
        self, OwnedJob, Visible,
        transitions::{self, Loss, Outcome},
    },
    queue::Queue,
};

/// What the steps of a job need. Cloning is cheap.
#[derive(Clone)]
pub struct Lifecycle {
    db: PgPool,
    queue: Queue,
}

impl Lifecycle {
    pub fn new(db: PgPool, queue: Queue) -> Self {
        Self { db, queue }
    }

    pub fn db(&self) -> &PgPool {
        &self.db
    }

    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Keeps a job and queues it. When this returns, the job is safe in Postgres, whatever happens to Redis.
    pub async fn submit(&self, person: &Person, request: &JobRequest) -> sqlx::Result<Job> {
        let new = request.row(JobId::new(), person);
        let job = db::insert(&self.db, &new).await?;
        tokio::join!(self.push(&job.job), self.changed(&job));
        Ok(job.job)
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
        let started = transitions::start(&self.db, claimed, runner, lease).await?;
        if started.len() < claimed.len() {
            let lost: Vec<JobId> = claimed
                .iter()
                .filter(|id| started.iter().all(|started| started.job.id != **id))
                .copied()
                .collect();
            self.release(lane, runner, &lost).await;
        }
        // Nobody's work waits for the news.
        let (this, news) = (self.clone(), started.clone());
        tokio::spawn(async move { join_all(news.iter().map(|job| this.changed(job))).await });
        Ok(started)
    }

    /// Ends an attempt that ran to its end. `false`: it was no longer this runner's, and nothing was changed.
    pub async fn finish(&self, job: &Job, runner: &str, outcome: &Outcome, lines: u64) -> sqlx::Result<bool> {
        let finished = transitions::finish(&self.db, job.id, job.attempt, runner, outcome, lines).await?;
        let news = async {
            if let Some(finished) = &finished {
                self.changed(finished).await;
            }
        };
        let released = [job.id];
        tokio::join!(self.release(job.kind, runner, &released), news);
        Ok(finished.is_some())
    }

    /// Gives an attempt back that this runner cannot finish because it stops.
    pub async fn hand_back(&self, job: &Job, runner: &str, lines: u64) -> sqlx::Result<()> {
        let queued = transitions::lose(&self.db, job.id, job.attempt, Loss::HandedBack, lines).await?;
        self.release(job.kind, runner, &[job.id]).await;
        if let Some(queued) = &queued {
            self.push(&queued.job).await;
            self.changed(queued).await;
        }
        Ok(())
    }

    pub async fn set_stage(&self, job: &Job, stage: &str) -> sqlx::Result<()> {
        if let Some(job) = transitions::set_stage(&self.db, job.id, job.attempt, stage).await? {
            self.changed(&job).await;
        }
        Ok(())
    }

    /// Cancels a waiting job at once, and asks the runner of a running one to stop it.
    pub async fn cancel(&self, id: JobId) -> Result<(), ApiError> {
        if let Some(canceled) = transitions::cancel_waiting(&self.db, id).await.map_err(away)? {
            let job = &canceled.job;
            if let Err(error) = self.queue.remove(job.kind, job.priority, job.id).await {
                tracing::debug!(job.id = %id, %error, "a canceled job stays in its list; whoever claims it drops it");
            }
            self.changed(&canceled).await;
            return Ok(());
        }
        let Some(running) = transitions::request_cancel(&self.db, id).await.map_err(away)? else {
            return Err(ApiError::Conflict(
                "The job has ended already, so there is nothing to cancel.".to_owned(),
            ));
        };
        let attempts = db::attempts::of_job(&self.db, id).await.map_err(away)?;
        if let Some(attempt) = attempts.last() {
            let channel = self.queue.keys().runner_bell(&attempt.runner);
            // Without the ring the runner learns of it with its next heartbeat.
            let _ = self.queue.ring(&channel, b"cancel").await;
        }
        self.changed(&running).await;
        Ok(())
    }

    /// Queues a finished job again, as a new attempt.
    pub async fn retry(&self, id: JobId) -> Result<Job, ApiError> {
        let Some(queued) = transitions::retry(&self.db, id).await.map_err(away)? else {
            return Err(ApiError::Conflict(
                "The job has not ended yet, so it cannot be tried again.".to_owned(),
            ));
        };
        self.push(&queued.job).await;
        self.changed(&queued).await;
        Ok(queued.job)
    }

    /// The job if this person may see it. To somebody who may not, it does not exist.
    pub async fn find(&self, person: &Person, id: JobId) -> Result<Job, ApiError> {
        let job = db::find(&self.db, id, visible_to(person)).await.map_err(away)?;
        job.ok_or_else(|| ApiError::NotFound(format!("There is no job {id}. It may have been deleted.")))
    }

    /// Tells everybody who watches. What is lost here is found by their next look.
    pub async fn publish(&self, event: &Event) {
        let Ok(message) = serde_json::to_vec(event) else { return };
        if let Err(error) = self.queue.ring(&self.queue.keys().events(), &message).await {
            tracing::debug!(%error, "a change was not announced");
        }
    }

    async fn changed(&self, job: &OwnedJob) {
        self.publish(&Event::Job { job: job.job.clone(), owner: job.owner }).await;
    }

    /// Puts a job that Postgres has as queued into its list. A failure loses nothing: the reconciler pushes it again.
    async fn push(&self, job: &Job) {
        if let Err(error) = self.queue.push(job.kind, job.priority, &[job.id]).await {
            tracing::warn!(job.id = %job.id, %error, "Redis is away; the job is queued again when it is back");
        }
    }

    /// Gives slots back. A failure leaks them only until the reconciler looks.
    async fn release(&self, lane: Kind, runner: &str, ids: &[JobId]) {
        if let Err(error) = self.queue.release(lane, runner, ids).await {
            tracing::warn!(%lane, %error, "Redis is away; slots are given back later");
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
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            tracing::warn!(%error, "Postgres is away");
            ApiError::Unavailable(
                "The database is away for a moment. Nothing was lost; please try again.".to_owned(),
            )
        }
        error => {
            tracing::error!(%error, "a query failed");
            ApiError::Internal
        }
    }
}
