//! What the operator sees and can do: lanes, runners, failures, clean-up. Owners only, except where a job is one's own.

use std::time::Duration;

use app::model::{
    AgentStatus, ApiError, CleanRequest, Cleaned, JobId, JobState, Kind, Operations, PauseRequest, Person,
    Role, RunnerInfo,
};

use crate::{
    backend::Server,
    db::{
        operations,
        runners::{self, Draining},
    },
    lifecycle::{Cleaning, away},
};

/// More than any job's age; Postgres has no times that lie as far back as a number of seconds can say.
const OLDEST_SECONDS: u64 = 100 * 365 * 24 * 3600;

impl Server {
    pub async fn operations(&self, person: &Person) -> Result<Operations, ApiError> {
        owners_only(person)?;
        let db = self.lifecycle.db();
        let (lanes, runners, failures, oldest, history) = tokio::try_join!(
            self.lanes(),
            self.runners(),
            async { operations::failures(db).await.map_err(away) },
            async { operations::oldest(db).await.map_err(away) },
            async { operations::history(db).await.map_err(away) },
        )?;
        Ok(Operations { lanes, runners, failures, oldest, history })
    }

    /// Runners and what each of them runs.
    pub async fn runners(&self) -> Result<Vec<RunnerInfo>, ApiError> {
        let db = self.lifecycle.db();
        let (mut found, mut hands) = tokio::try_join!(runners::all(db), runners::hands(db)).map_err(away)?;
        for runner in &mut found {
            runner.running = hands.remove(&runner.name).unwrap_or_default();
        }
        Ok(found)
    }

    pub async fn pause_lane(
        &self,
        person: &Person,
        lane: Kind,
        request: PauseRequest,
    ) -> Result<(), ApiError> {
        owners_only(person)?;
        self.lifecycle.pause_lane(lane, Some(person), &request.reason, request.until).await
    }

    pub async fn resume_lane(&self, person: &Person, lane: Kind) -> Result<(), ApiError> {
        owners_only(person)?;
        self.lifecycle.resume_lane(lane).await
    }

    /// The agents that a job can name, the one for jobs that name none first, as the best equipped runner has them.
    pub async fn agents(&self) -> Result<Vec<AgentStatus>, ApiError> {
        let found = runners::agents(self.lifecycle.db()).await.map_err(away)?;
        let mut found: Vec<AgentStatus> = found.into_iter().flatten().collect();
        // Of several runners the one that can start it speaks for all.
        found.sort_by_key(|agent| (!agent.is_ready(), !agent.installed));
        let names = self.config.agents.names();
        Ok(names.iter().filter_map(|name| found.iter().find(|agent| agent.name == *name).cloned()).collect())
    }

    pub async fn resume_agent(&self, person: &Person, agent: &str) -> Result<(), ApiError> {
        owners_only(person)?;
        self.lifecycle.resume_agent(agent).await
    }

    pub async fn clean_lane(
        &self,
        person: &Person,
        lane: Kind,
        request: CleanRequest,
    ) -> Result<Cleaned, ApiError> {
        owners_only(person)?;
        let state: JobState = match request.state.trim().parse() {
            Ok(state) => state,
            Err(error) => return Err(ApiError::invalid("state", format!("{error}."))),
        };
        let Some(seconds) = u64::try_from(request.older_than).ok().filter(|age| *age <= OLDEST_SECONDS)
        else {
            let message = format!("The age is a number of seconds, from 0 to {OLDEST_SECONDS} (100 years).");
            return Err(ApiError::invalid("older_than", message));
        };
        let cleaning = if request.dry_run { Cleaning::Preview } else { Cleaning::Delete };
        self.lifecycle.clean(lane, state, Duration::from_secs(seconds), cleaning).await
    }

    /// Has a runner finish what it runs and take nothing new.
    pub async fn drain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError> {
        self.set_draining(person, name, Draining::Yes).await
    }

    /// Has it take jobs again.
    pub async fn undrain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError> {
        self.set_draining(person, name, Draining::No).await
    }

    async fn set_draining(&self, person: &Person, name: &str, draining: Draining) -> Result<(), ApiError> {
        owners_only(person)?;
        if runners::set_draining(self.lifecycle.db(), name, draining).await.map_err(away)? {
            let channel = self.lifecycle.queue().keys().runner_bell(name);
            // Without the ring it hears of it with its next heartbeat.
            let _ = self.lifecycle.queue().ring(&channel, b"drain").await;
            Ok(())
        } else {
            Err(ApiError::NotFound(format!("There is no runner `{name}`. It may have stopped.")))
        }
    }

    pub async fn delete_job(&self, person: &Person, id: JobId) -> Result<(), ApiError> {
        self.lifecycle.find(person, id).await?;
        self.lifecycle.delete(id).await
    }
}

/// What concerns everybody is the owners' to do.
pub fn owners_only(person: &Person) -> Result<(), ApiError> {
    match person.role {
        Role::Owner => Ok(()),
        Role::Member => {
            Err(ApiError::Forbidden("Only an owner of this installation can do that.".to_owned()))
        }
    }
}
