//! What the dashboard and the API can ask for: the server's side of [`app::backend::Backend`].

use std::{collections::BTreeSet, sync::Arc};

use app::{
    backend::Backend,
    model::{
        Accounts, AgentStatus, ApiError, ApiToken, AppForm, Board, CleanRequest, Cleaned, DeliveryDetail,
        DeliveryFilter, DeliveryId, DeliveryPage, Diff, Exchange, Figures, FileDiff, GitHubConnection, Job,
        JobDetail, JobFilter, JobId, JobPage, Kind, Lane, NewJob, NewSchedule, NewToken, Operations,
        OutputPage, PauseRequest, Person, Role, Schedule, ScheduleId, SessionId, SignedIn, TokenId, Trigger,
        UserId, Window,
    },
};
use async_trait::async_trait;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use tower_sessions::Session;

use crate::{
    census::Census,
    config::Config,
    connection::Connection,
    cursor::{self, List},
    db::{self, Visible},
    http::{KnownTokens, session},
    lifecycle::{Feed, JobRequest, Lifecycle, RequestRules, ScheduleRequest, Submitted, away, visible_to},
    output::{Hub, Pages, Reader},
    sessions, tokens,
};

/// How many jobs of each group the board shows.
const BOARD_ROWS: i64 = 100;
/// How many jobs a page of a list has when nobody says, and at most.
const PAGE_ROWS: u32 = 50;
const MOST_PAGE_ROWS: u32 = 200;
/// How many repositories the form proposes.
const REPOSITORIES: i64 = 20;

/// Everything that the HTTP side works with.
pub struct Server {
    pub config: Arc<Config>,
    pub lifecycle: Lifecycle,
    pub feed: Arc<Feed>,
    pub hub: Arc<Hub>,
    pub tokens: KnownTokens,
    pub connection: Connection,
    /// The board's figures, by who may see the jobs.
    census: Arc<Census<Visible, Figures>>,
}

impl Server {
    pub fn new(config: Arc<Config>, lifecycle: Lifecycle, connection: Connection) -> Arc<Self> {
        let feed = Feed::start(lifecycle.clone());
        let reader = Reader::new(lifecycle.db().clone(), lifecycle.queue().clone());
        let hub = Hub::new(reader, lifecycle.clone(), Arc::clone(&feed));
        let census = Census::new(|figures: &Figures| {
            let Figures { waiting, running, succeeded, failed, canceled, runners: _ } = *figures;
            [waiting, running, succeeded, failed, canceled].into_iter().map(u64::from).sum()
        });
        Arc::new(Self { config, lifecycle, feed, hub, tokens: KnownTokens::default(), connection, census })
    }

    /// Makes a job for whoever asks, through whatever asks.
    pub async fn submit(
        &self,
        person: &Person,
        new: NewJob,
        trigger: Trigger,
    ) -> Result<Submitted, ApiError> {
        let (new, conversation) = self.lifecycle.continued(person, new).await?;
        self.permit(person, new.repository.trim()).await?;
        let rules = RequestRules::new(&self.config);
        let request = match conversation {
            None => JobRequest::parse(new, trigger, &rules)?,
            Some(conversation) => JobRequest::parse(new, Trigger::FollowUp, &rules)?.continuing(conversation),
        };
        self.lifecycle.submit(person, &request).await
    }

    /// Makes many jobs: all of them, or none.
    pub async fn submit_all(&self, person: &Person, new: Vec<NewJob>) -> Result<Vec<Job>, ApiError> {
        let rules = RequestRules::new(&self.config);
        for repository in new.iter().map(|new| new.repository.trim()).collect::<BTreeSet<_>>() {
            self.permit(person, repository).await?;
        }
        let mut requests = Vec::with_capacity(new.len());
        for new in new {
            if new.parent.is_some() {
                return Err(ApiError::invalid(
                    "parent",
                    "A list makes new jobs. Ask for a follow-up by itself.",
                ));
            }
            requests.push(JobRequest::parse(new, Trigger::Api, &rules)?);
        }
        self.lifecycle.submit_all(person, &requests).await
    }

    pub async fn lanes(&self) -> Result<Vec<Lane>, ApiError> {
        self.lifecycle.lanes().await
    }

    pub async fn figures(&self, visible: Visible) -> Result<Figures, ApiError> {
        let db = self.lifecycle.db();
        let counted = self.census.get(visible, || {
            let db = db.clone();
            async move { db::figures(&db, visible).await }
        });
        let figures = counted.await.map_err(away)?;
        let runners = db::runners::online(db).await.map_err(away)?;
        Ok(Figures { runners, ..figures })
    }

    /// The job whose id ends with these eight digits, if this person may see it and no other one's id does.
    pub async fn find_short(&self, person: &Person, digits: &str) -> Result<JobId, ApiError> {
        let digits = digits.to_lowercase();
        let ids =
            db::ids_ending_with(self.lifecycle.db(), visible_to(person), &digits).await.map_err(away)?;
        match ids[..] {
            [id] => Ok(id),
            [] => Err(ApiError::NotFound(format!(
                "There is no job whose id ends with {digits}. It may have been deleted."
            ))),
            _ => Err(ApiError::Conflict(format!(
                "The ids of several jobs end with {digits}. Give the whole id."
            ))),
        }
    }

    /// An attempt's output, for somebody who may see the job.
    pub async fn pages(&self, person: &Person, job: JobId, attempt: u32) -> Result<Pages<'_>, ApiError> {
        let found = self.lifecycle.find(person, job).await?;
        if attempt > found.attempt {
            return Err(ApiError::NotFound(format!("The job has no attempt {attempt}.")));
        }
        Ok(Pages { reader: self.hub.reader(), job, attempt })
    }
}

#[async_trait]
impl Backend for Server {
    async fn authenticate(&self, request: &Parts) -> Result<Person, ApiError> {
        session::authenticate(self.lifecycle.db(), &self.tokens, request).await
    }

    async fn sign_out(&self, request: &Parts) -> Result<(), ApiError> {
        session::sign_out(request).await
    }

    async fn board(&self, person: &Person, filter: &JobFilter) -> Result<Board, ApiError> {
        check(filter)?;
        let (db, visible) = (self.lifecycle.db(), visible_to(person));
        let (lanes, figures, running, mut waiting, finished) = tokio::try_join!(
            self.lanes(),
            self.figures(visible),
            async { db::running(db, visible, filter, BOARD_ROWS).await.map_err(away) },
            async { db::waiting(db, visible, filter, BOARD_ROWS + 1).await.map_err(away) },
            self.finished_jobs(person, filter),
        )?;
        let more_waiting = cut(&mut waiting, BOARD_ROWS).is_some();
        let lines = running.iter().map(|job| self.hub.reader().last_line(job.id, job.attempt));
        let last_lines = join_all(lines).await.into_iter().flatten().collect();
        Ok(Board {
            lanes,
            figures,
            running,
            waiting,
            more_waiting,
            finished: finished.jobs,
            next: finished.next,
            last_lines,
        })
    }

    async fn jobs(&self, person: &Person, filter: &JobFilter) -> Result<JobPage, ApiError> {
        check(filter)?;
        let limit = page_rows(filter);
        let after = cursor::decode(List::Newest, filter)?
            .map(|id| id.parse().map_err(|_| cursor::wrong()))
            .transpose()?;
        let db = self.lifecycle.db();
        let mut jobs = db::page(db, visible_to(person), filter, after, limit + 1).await.map_err(away)?;
        let next = cut(&mut jobs, limit).map(|job| cursor::encode(List::Newest, filter, &job.id.to_string()));
        Ok(JobPage { jobs, next })
    }

    async fn finished_jobs(&self, person: &Person, filter: &JobFilter) -> Result<JobPage, ApiError> {
        check(filter)?;
        let limit = page_rows(filter);
        let after = cursor::decode(List::Finished, filter)?
            .map(|place| ended(place).ok_or_else(cursor::wrong))
            .transpose()?;
        let db = self.lifecycle.db();
        let mut jobs =
            db::finished_page(db, visible_to(person), filter, after, limit + 1).await.map_err(away)?;
        let next =
            cut(&mut jobs, limit).map(|job| cursor::encode(List::Finished, filter, &job.finished_place()));
        Ok(JobPage { jobs, next })
    }

    async fn repositories(&self, person: &Person) -> Result<Vec<String>, ApiError> {
        db::repositories(self.lifecycle.db(), visible_to(person), REPOSITORIES).await.map_err(away)
    }

    async fn create_job(&self, person: &Person, job: NewJob) -> Result<Job, ApiError> {
        let (Submitted::New(job) | Submitted::Before(job)) =
            self.submit(person, job, Trigger::Dashboard).await?;
        Ok(job)
    }

    async fn job(&self, person: &Person, id: JobId) -> Result<JobDetail, ApiError> {
        let job = self.lifecycle.find(person, id).await?;
        let db = self.lifecycle.db();
        let request = db::with_request(db, id).await.map_err(away)?;
        let (script, prompt) = request.unwrap_or_default();
        let attempts = db::attempts::of_job(db, id).await.map_err(away)?;
        let waiting = self.lifecycle.waiting(&job).await?;
        let usual_ms = db::usual_duration(db, job.kind, &job.repository).await.map_err(away)?;
        let conversation = self.lifecycle.conversation(person, &job).await?;
        let asked_in = db::answers::asked_in(db, id).await.map_err(away)?;
        let asked_in = asked_in.map(|thread| thread.address(&self.config.github.url));
        let not_told = db::answers::problem(db, id).await.map_err(away)?;
        Ok(JobDetail { job, script, prompt, attempts, waiting, usual_ms, conversation, asked_in, not_told })
    }

    async fn exchanges(&self, person: &Person, id: JobId) -> Result<Vec<Exchange>, ApiError> {
        let job = self.lifecycle.find(person, id).await?;
        self.lifecycle.exchanges(person, &job).await
    }

    async fn find_short(&self, person: &Person, digits: &str) -> Result<JobId, ApiError> {
        self.find_short(person, digits).await
    }

    async fn cancel_job(&self, person: &Person, id: JobId) -> Result<(), ApiError> {
        self.lifecycle.find(person, id).await?;
        self.lifecycle.cancel(id).await
    }

    async fn retry_job(&self, person: &Person, id: JobId) -> Result<(), ApiError> {
        let job = self.lifecycle.find(person, id).await?;
        self.permit(person, &job.repository).await?;
        self.lifecycle.retry(id).await.map(drop)
    }

    async fn delete_job(&self, person: &Person, id: JobId) -> Result<(), ApiError> {
        self.delete_job(person, id).await
    }

    async fn operations(&self, person: &Person) -> Result<Operations, ApiError> {
        self.operations(person).await
    }

    async fn pause_lane(&self, person: &Person, lane: Kind, request: PauseRequest) -> Result<(), ApiError> {
        self.pause_lane(person, lane, request).await
    }

    async fn resume_lane(&self, person: &Person, lane: Kind) -> Result<(), ApiError> {
        self.resume_lane(person, lane).await
    }

    async fn clean_lane(
        &self,
        person: &Person,
        lane: Kind,
        request: CleanRequest,
    ) -> Result<Cleaned, ApiError> {
        self.clean_lane(person, lane, request).await
    }

    async fn agents(&self, _: &Person) -> Result<Vec<AgentStatus>, ApiError> {
        self.agents().await
    }

    async fn resume_agent(&self, person: &Person, agent: &str) -> Result<(), ApiError> {
        self.resume_agent(person, agent).await
    }

    async fn drain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError> {
        self.drain_runner(person, name).await
    }

    async fn undrain_runner(&self, person: &Person, name: &str) -> Result<(), ApiError> {
        self.undrain_runner(person, name).await
    }

    async fn output(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        window: Window,
    ) -> Result<OutputPage, ApiError> {
        self.pages(person, id, attempt).await?.window(window).await.map_err(|error| {
            tracing::error!(job.id = %id, attempt, error = format!("{error:#}"), "the output cannot be read");
            ApiError::Internal
        })
    }

    async fn diff(&self, person: &Person, id: JobId, attempt: u32) -> Result<Diff, ApiError> {
        self.diff(person, id, attempt).await
    }

    async fn file_diff(
        &self,
        person: &Person,
        id: JobId,
        attempt: u32,
        file: u32,
        from: u32,
    ) -> Result<FileDiff, ApiError> {
        self.file_diff(person, id, attempt, file, from).await
    }

    async fn tokens(&self, person: &Person) -> Result<Vec<ApiToken>, ApiError> {
        tokens::list(self.lifecycle.db(), person).await
    }

    async fn create_token(&self, person: &Person, name: &str) -> Result<NewToken, ApiError> {
        tokens::create(self.lifecycle.db(), person, name).await
    }

    async fn delete_token(&self, person: &Person, id: TokenId) -> Result<(), ApiError> {
        tokens::delete(self.lifecycle.db(), person, id).await?;
        self.tokens.forget();
        Ok(())
    }

    async fn deliveries(&self, person: &Person, filter: &DeliveryFilter) -> Result<DeliveryPage, ApiError> {
        self.deliveries(person, filter).await
    }

    async fn delivery(&self, person: &Person, id: DeliveryId) -> Result<DeliveryDetail, ApiError> {
        self.delivery(person, id).await
    }

    async fn replay_delivery(&self, person: &Person, id: DeliveryId) -> Result<(), ApiError> {
        self.replay_delivery(person, id).await
    }

    async fn sessions(&self, person: &Person, request: &Parts) -> Result<Vec<SignedIn>, ApiError> {
        let this_one = request.extensions.get::<Session>().and_then(Session::id);
        sessions::list(self.lifecycle.db(), person, this_one).await
    }

    async fn end_session(&self, person: &Person, id: SessionId) -> Result<(), ApiError> {
        sessions::end(self.lifecycle.db(), person, id).await
    }

    async fn end_sessions(&self, person: &Person) -> Result<(), ApiError> {
        sessions::end_all(self.lifecycle.db(), person).await
    }

    async fn accounts(&self, person: &Person) -> Result<Accounts, ApiError> {
        self.accounts(person).await
    }

    async fn set_role(&self, person: &Person, id: UserId, role: Role) -> Result<(), ApiError> {
        self.set_role(person, id, role).await
    }

    async fn remove_account(&self, person: &Person, id: UserId) -> Result<(), ApiError> {
        self.remove_account(person, id).await
    }

    async fn admit_again(&self, person: &Person, id: UserId) -> Result<(), ApiError> {
        self.admit_again(person, id).await
    }

    async fn signs_in_with_github(&self) -> bool {
        matches!(self.connection.oauth_client().await, Ok(Some(_)))
    }

    async fn github(&self, person: &Person) -> Result<GitHubConnection, ApiError> {
        self.github(person).await
    }

    async fn begin_connecting(
        &self,
        person: &Person,
        request: &Parts,
        organisation: &str,
    ) -> Result<AppForm, ApiError> {
        self.begin_connecting(person, request, organisation).await
    }

    async fn refresh_github(&self, person: &Person) -> Result<(), ApiError> {
        self.refresh_github(person).await
    }

    async fn disconnect_github(&self, person: &Person) -> Result<(), ApiError> {
        self.disconnect_github(person).await
    }

    async fn schedules(&self, person: &Person) -> Result<Vec<Schedule>, ApiError> {
        self.lifecycle.schedules(person).await
    }

    async fn create_schedule(&self, person: &Person, schedule: NewSchedule) -> Result<Schedule, ApiError> {
        self.permit(person, schedule.job.repository.trim()).await?;
        let request = ScheduleRequest::parse(schedule, &RequestRules::new(&self.config), Utc::now())?;
        self.lifecycle.create_schedule(person, &request).await
    }

    async fn delete_schedule(&self, person: &Person, id: ScheduleId) -> Result<(), ApiError> {
        self.lifecycle.delete_schedule(person, id).await
    }
}

/// Postgres takes no text with a zero byte.
fn check(filter: &JobFilter) -> Result<(), ApiError> {
    for (field, text) in [("q", &filter.q), ("repository", &filter.repository)] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(ApiError::invalid(
                field,
                "There is a zero byte in it, and nothing can be found by that.",
            ));
        }
    }
    Ok(())
}

fn page_rows(filter: &JobFilter) -> i64 {
    filter.limit.unwrap_or(PAGE_ROWS).clamp(1, MOST_PAGE_ROWS).into()
}

/// Takes what is more than a page off the list, and returns the page's last job if there was more.
fn cut(jobs: &mut Vec<Job>, limit: i64) -> Option<&Job> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if jobs.len() <= limit {
        return None;
    }
    jobs.truncate(limit);
    jobs.last()
}

/// A place among finished jobs: when the last one ended, in milliseconds, and its id.
fn ended(place: &str) -> Option<(DateTime<Utc>, JobId)> {
    let (time, id) = place.split_once('.')?;
    Some((DateTime::from_timestamp_millis(time.parse().ok()?)?, id.parse().ok()?))
}
