//! Lanes: how full they are, and whether they start anything.

use app::model::{ApiError, Depth, Kind, Lane, Pause, Person, Timestamp};
use chrono::DateTime;

use super::{Event, Lifecycle, away};
use crate::{
    db::{self, LaneCount, lanes::LaneSettings},
    queue::{LaneLimits, Paused},
};

/// The longest reason for a pause, in characters.
const REASON_CHARS: usize = 200;

impl Lifecycle {
    /// All lanes as people see them.
    pub async fn lanes(&self) -> Result<Vec<Lane>, ApiError> {
        let counted = self.census.get((), || {
            let db = self.db.clone();
            async move { db::lane_counts(&db).await }
        });
        let counts = counted.await.map_err(away)?;
        let mut settings = db::lanes::all(&self.db).await.map_err(away)?;
        let mut quotas = db::quotas::used_up(&self.db).await.map_err(away)?;
        let mut lanes = Vec::new();
        for kind in Kind::ALL {
            let count = counts.iter().find(|count| count.kind == *kind);
            let pause = settings.remove(kind).and_then(|settings| settings.pause);
            let quotas = if *kind == Kind::Agent { std::mem::take(&mut quotas) } else { Vec::new() };
            lanes.push(Lane { quotas, ..self.lane(*kind, count, pause).await });
        }
        Ok(lanes)
    }

    async fn lane(&self, kind: Kind, count: Option<&LaneCount>, pause: Option<Pause>) -> Lane {
        // What only Redis knows is left out while it is away.
        let depth = self.queue.depth(kind).await.unwrap_or_default();
        Lane {
            kind,
            concurrency: self.config.concurrency_of(kind).get(),
            rate: Some(self.config.rate_of(kind)).filter(|rate| *rate > 0),
            started: depth.started,
            running: count.map_or(0, |count| count.running),
            waiting: count.map_or(0, |count| count.queued),
            scheduled: count.map_or(0, |count| count.later),
            depth: depth
                .waiting
                .into_iter()
                .filter(|(_, waiting)| *waiting > 0)
                .map(|(priority, waiting)| Depth { priority, waiting })
                .collect(),
            pause,
            quotas: Vec::new(),
        }
    }

    /// Keeps a lane from starting jobs; what runs goes on. `by` is nobody where Millrace does it by itself.
    pub async fn pause_lane(
        &self,
        lane: Kind,
        by: Option<&Person>,
        reason: &str,
        until: Option<Timestamp>,
    ) -> Result<(), ApiError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS || reason.contains('\0') {
            let message = format!("Say in at most {REASON_CHARS} characters why the lane is paused.");
            return Err(ApiError::invalid("reason", message));
        }
        let until = match until {
            None => None,
            Some(time) => Some(
                DateTime::from_timestamp_millis(time.0)
                    .filter(|time| *time > chrono::Utc::now())
                    .ok_or_else(|| ApiError::invalid("until", "The time to go on must lie in the future."))?,
            ),
        };
        let by = by.map(|person| person.login.as_str());
        db::lanes::pause(&self.db, lane, by, reason, until).await.map_err(away)?;
        self.tell_lane(lane).await;
        Ok(())
    }

    /// Lets a lane go on.
    pub async fn resume_lane(&self, lane: Kind) -> Result<(), ApiError> {
        db::lanes::resume(&self.db, lane).await.map_err(away)?;
        self.tell_lane(lane).await;
        Ok(())
    }

    /// Tells Redis and everybody who watches how a lane stands. What fails here is done by the reconciler.
    pub(super) async fn tell_lane(&self, lane: Kind) {
        let told = async {
            let settings = db::lanes::all(&self.db).await?.remove(&lane).unwrap_or_default();
            // A lane that is not open is opened by the reconciler, once it has told Redis what runs.
            self.queue.note_limits(lane, &self.limits(lane, &settings)).await?;
            self.queue.ring_door(lane).await?;
            anyhow::Ok(())
        };
        if let Err(error) = told.await {
            tracing::warn!(%lane, error = format!("{error:#}"), "Redis learns of the lane later");
        }
        if let Ok(lanes) = self.lanes().await {
            let lane = lanes.into_iter().find(|found| found.kind == lane);
            let events: Vec<Event> = lane.into_iter().map(|lane| Event::Lane { lane }).collect();
            self.publish(&events).await;
        }
    }

    /// The limits of a lane with these settings.
    pub(super) fn limits(&self, lane: Kind, settings: &LaneSettings) -> LaneLimits {
        LaneLimits {
            revision: settings.revision,
            concurrency: self.config.concurrency_of(lane).get(),
            rate: self.config.rate_of(lane),
            ageing: self.config.ageing,
            paused: match &settings.pause {
                None => Paused::No,
                Some(Pause { until: Some(until), .. }) => Paused::Until(*until),
                Some(Pause { until: None, .. }) => Paused::UntilResumed,
            },
        }
    }
}
