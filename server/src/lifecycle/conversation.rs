//! Follow-ups: a job that goes on where another one stopped. The jobs of a conversation run one after the other, on one
//! branch.

use app::model::{ApiError, Exchange, Job, JobId, NewJob, Person};

use super::{Lifecycle, away, push, visible_to};
use crate::db::{self, Conversation, OwnedJob, agent_runs, deliveries, transitions};

/// How many jobs of a conversation a page shows, the latest ones.
const SHOWN: i64 = 100;
/// How much it shows of a prompt, in characters.
const ASKED_CHARS: i32 = 4000;
/// How many follow-ups are queued in one statement.
const AT_ONCE: i64 = 100;

impl Lifecycle {
    /// Fills in what a request to continue a job leaves out. A request that continues nothing stays as it is.
    pub async fn continued(
        &self,
        person: &Person,
        new: NewJob,
    ) -> Result<(NewJob, Option<Conversation>), ApiError> {
        let Some(parent) = new.parent.as_deref().map(str::trim).filter(|id| !id.is_empty()) else {
            return Ok((new, None));
        };
        let id: JobId = parent
            .parse()
            .map_err(|_| ApiError::invalid("parent", format!("`{parent}` is not the id of a job.")))?;
        let parent = self.find(person, id).await?;
        let Some(agent) = parent.agent else {
            return Err(ApiError::invalid("parent", "Only the job of an agent can be continued."));
        };
        let given = |field: Option<String>| field.filter(|text| !text.trim().is_empty());
        let same = |field: &str, asked: Option<&str>, is: &str| match asked {
            Some(asked) if asked.trim() != is => Err(ApiError::invalid(
                field,
                format!("A follow-up has the {field} of the job it continues, `{is}`."),
            )),
            _ => Ok(()),
        };
        same("kind", Some(new.kind.as_str()).filter(|kind| !kind.is_empty()), parent.kind.as_str())?;
        same(
            "repository",
            Some(new.repository.as_str()).filter(|text| !text.is_empty()),
            &parent.repository,
        )?;
        let conversation = Conversation {
            parent: parent.id,
            thread: parent.thread.unwrap_or(parent.id),
            branch: parent.branch,
        };
        let new = NewJob {
            kind: parent.kind.as_str().to_owned(),
            repository: parent.repository,
            git_ref: parent.git_ref,
            agent: given(new.agent).or(Some(agent)),
            model: given(new.model).or(parent.model),
            ..new
        };
        Ok((new, Some(conversation)))
    }

    /// Goes on with what waited for jobs of its conversation that have ended now. What is missed here the reconciler finds.
    pub(super) async fn follow(&self, finished: &[OwnedJob]) {
        if finished.iter().all(|OwnedJob { job, .. }| job.agent.is_none()) {
            return;
        }
        if let Err(error) = self.queue_followers().await {
            tracing::debug!(%error, "follow-ups are queued later");
        }
    }

    pub(super) async fn queue_followers(&self) -> sqlx::Result<()> {
        let queued = transitions::promote_followers(&self.db, AT_ONCE).await?;
        push(&self.queue, &queued).await;
        self.changed(&queued).await;
        if deliveries::look_again(&self.db).await? > 0 {
            // Without the ring they are found within a second.
            let _ = self.queue.ring(&self.queue.keys().deliveries_bell(), b"").await;
        }
        Ok(())
    }

    /// All jobs of the conversation that a job belongs to, the oldest first; none when it stands alone.
    pub async fn conversation(&self, person: &Person, job: &Job) -> Result<Vec<Job>, ApiError> {
        let thread = job.thread.unwrap_or(job.id);
        let jobs = db::conversation(&self.db, thread, visible_to(person), SHOWN).await.map_err(away)?;
        Ok(if jobs.len() > 1 { jobs } else { Vec::new() })
    }

    /// The same jobs with what was asked and what came of it.
    pub async fn exchanges(&self, person: &Person, job: &Job) -> Result<Vec<Exchange>, ApiError> {
        let jobs = self.conversation(person, job).await?;
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let mut told = agent_runs::told(&self.db, &ids, ASKED_CHARS).await.map_err(away)?;
        let exchange = |job: Job| {
            let (asked, run) = told.remove(&job.id)?;
            Some(Exchange { job, asked, run })
        };
        Ok(jobs.into_iter().filter_map(exchange).collect())
    }
}
