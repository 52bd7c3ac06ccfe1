//! Jobs that are made again and again by the clock.

use serde::{Deserialize, Serialize};

use super::{JobId, NewJob, ScheduleId, Timestamp, address::address, text_enum::text_enum};

text_enum! {
    /// What happens with the times that passed while no server was there.
    Missed {
        /// They are left out.
        Skip = "skip",
        /// One job makes up for all of them.
        Once = "once",
    }
}

/// A job that is made at every time that a cron expression names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Schedule {
    pub id: ScheduleId,
    pub name: String,
    /// Five fields, or six with seconds in front: `0 3 * * 1-5`.
    pub cron: String,
    /// IANA name of the time zone that the expression is read in.
    pub timezone: String,
    pub missed: Missed,
    pub job: NewJob,
    /// The login of who made it; its jobs are theirs.
    pub created_by: String,
    pub created_at: Timestamp,
    /// Absent when the expression names no time any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_job: Option<JobId>,
    /// Why the last time made no job, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What to make a schedule of, as it arrives: nothing in it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct NewSchedule {
    pub name: String,
    pub cron: String,
    /// UTC when it is left out.
    pub timezone: Option<String>,
    /// `skip` when it is left out.
    pub missed: Option<String>,
    pub job: NewJob,
}

impl NewSchedule {
    /// The form where this schedule can be changed and made.
    pub fn address(&self) -> String {
        let job = &self.job;
        let page = address(
            "/settings",
            &[
                ("name", Some(self.name.as_str())),
                ("cron", Some(self.cron.as_str())),
                ("timezone", self.timezone.as_deref()),
                ("missed", self.missed.as_deref()),
                ("kind", Some(job.kind.as_str())),
                ("repository", Some(job.repository.as_str())),
                ("ref", job.git_ref.as_deref()),
                ("script", NewJob::short(job.script.as_deref())),
                ("prompt", NewJob::short(job.prompt.as_deref())),
                ("agent", job.agent.as_deref()),
            ],
        );
        page + "#new-schedule"
    }
}
