//! Making jobs: one by one, many at once, and once for a key.

use app::model::{ApiError, Job, JobId, Person};
use sqlx::Connection as _;

use super::{Event, JobRequest, Lifecycle, away, push};
use crate::{
    batch::Batcher,
    db::{self, Motion, NewJobRow, OwnedJob},
    queue::Queue,
};

/// How many jobs one statement makes at most.
const BATCH: usize = 256;
/// How many statements are under way at once: while one waits for the disk, the next is prepared.
const AT_ONCE: usize = 2;

/// A job, and whether this request made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    New(Job),
    /// An earlier request with the same key did.
    Before(Job),
}

impl Lifecycle {
    /// Keeps a job and queues it. When this returns, the job is safe in Postgres, whatever happens to Redis.
    pub async fn submit(&self, person: &Person, request: &JobRequest) -> Result<Submitted, ApiError> {
        let row = request.row(JobId::new(), person);
        match request.key() {
            None => self.submissions.call(row).await.unwrap_or(Err(ApiError::Internal)).map(Submitted::New),
            Some(key) => self.submit_once(person, row, key, request.digest()).await,
        }
    }

    /// Keeps many jobs in one statement: all of them, or none.
    pub async fn submit_all(&self, person: &Person, requests: &[JobRequest]) -> Result<Vec<Job>, ApiError> {
        let rows: Vec<NewJobRow> = requests.iter().map(|request| request.row(JobId::new(), person)).collect();
        let made = self.intake.make(&rows).await.map_err(away)?;
        Ok(made.into_iter().map(|owned| owned.job).collect())
    }

    /// Of several requests with one key the first makes a job; the others wait for it and get the same.
    async fn submit_once(
        &self,
        person: &Person,
        row: NewJobRow,
        key: &str,
        digest: &db::idempotency::RequestDigest,
    ) -> Result<Submitted, ApiError> {
        if let Some(before) = self.made_before(person, key, digest).await? {
            return Ok(Submitted::Before(before));
        }
        let mut transaction = self.db.begin().await.map_err(away)?;
        let made = db::insert_in_turn(&mut transaction, std::slice::from_ref(&row)).await.map_err(away)?;
        let taken = db::idempotency::take(&mut *transaction, person.id, key, digest, row.id).await;
        if taken.map_err(away)? {
            transaction.commit().await.map_err(away)?;
            tokio::join!(push(&self.queue, &made), self.changed(&made));
            return made.into_iter().next().map(|owned| Submitted::New(owned.job)).ok_or(ApiError::Internal);
        }
        transaction.rollback().await.map_err(away)?;
        // Gone again when the job was deleted in this moment.
        self.made_before(person, key, digest).await?.map(Submitted::Before).ok_or_else(|| {
            ApiError::Conflict(
                "The job with this idempotency key was just deleted. Send the request again.".to_owned(),
            )
        })
    }

    async fn made_before(
        &self,
        person: &Person,
        key: &str,
        digest: &db::idempotency::RequestDigest,
    ) -> Result<Option<Job>, ApiError> {
        let Some((id, made_with)) = db::idempotency::find(&self.db, person.id, key).await.map_err(away)?
        else {
            return Ok(None);
        };
        if made_with != digest {
            return Err(ApiError::Conflict(format!(
                "The idempotency key `{key}` was used for another request, which made the job {id}. Take a new key."
            )));
        }
        let found = db::find_owned(&self.db, id).await.map_err(away)?;
        Ok(found.map(|owned| owned.job))
    }
}

/// Where jobs are made that nothing else is written with.
#[derive(Clone)]
pub(super) struct Intake {
    unflushed: Motion,
    motion: Motion,
    queue: Queue,
}

impl Intake {
    pub(super) fn new(motion: Motion, queue: Queue) -> Self {
        Self { unflushed: motion.without_flushing(), motion, queue }
    }

    /// Makes jobs, and returns when they are safe. A runner can have one a little earlier, while the disk is at work: it
    /// waits until the start is on the disk before it begins, and the start is written behind the job. So a job that Postgres
    /// loses was neither begun nor acknowledged, and its id in Redis leads to nothing.
    async fn make(&self, rows: &[NewJobRow]) -> sqlx::Result<Vec<OwnedJob>> {
        let mut db = self.unflushed.connection().await?;
        let made = if rows.iter().any(|row| row.conversation.is_some()) {
            let mut transaction = db.begin().await?;
            let made = db::insert_in_turn(&mut transaction, rows).await?;
            transaction.commit().await?;
            made
        } else {
            db::insert(&mut *db, rows).await?
        };
        db.keep();
        let flushed = async {
            let mut db = self.motion.connection().await?;
            db::flushed(&mut *db).await?;
            db.keep();
            Ok::<_, sqlx::Error>(())
        };
        let (flushed, ()) = tokio::join!(flushed, announce(&self.queue, &made));
        flushed?;
        Ok(made)
    }
}

/// Requests that come while others are being written go together.
pub(super) fn batches(intake: Intake) -> Batcher<NewJobRow, Result<Job, ApiError>> {
    Batcher::start(BATCH, AT_ONCE, move |rows: Vec<NewJobRow>| {
        let intake = intake.clone();
        async move {
            match intake.make(&rows).await {
                Ok(made) => in_order(&rows, made),
                // One that Postgres does not take must not keep the others out.
                Err(error) if rows.len() > 1 && !db::is_passing(&error) => {
                    let mut answers = Vec::with_capacity(rows.len());
                    for row in &rows {
                        let made = intake.make(std::slice::from_ref(row)).await.map_err(away);
                        answers.push(made.and_then(|made| {
                            made.into_iter().next().map(|owned| owned.job).ok_or(ApiError::Internal)
                        }));
                    }
                    answers
                }
                Err(error) => {
                    let error = away(error);
                    rows.iter().map(|_| Err(error.clone())).collect()
                }
            }
        }
    })
}

/// Into the lists, and to those who watch.
async fn announce(queue: &Queue, made: &[OwnedJob]) {
    let events: Vec<Event> =
        made.iter().map(|owned| Event::Job { job: owned.job.clone(), owner: owned.owner }).collect();
    tokio::join!(push(queue, made), super::publish(queue, &events));
}

/// Each request's job at its place.
fn in_order(rows: &[NewJobRow], made: Vec<OwnedJob>) -> Vec<Result<Job, ApiError>> {
    let mut made: std::collections::HashMap<JobId, Job> =
        made.into_iter().map(|owned| (owned.job.id, owned.job)).collect();
    rows.iter().map(|row| made.remove(&row.id).ok_or(ApiError::Internal)).collect()
}
