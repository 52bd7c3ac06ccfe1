//! Jobs that the clock makes: one for each time that a cron expression names, however many servers look at the clock.

use std::str::FromStr as _;

use app::model::{ApiError, JobId, Missed, NewJob, NewSchedule, Person, Schedule, ScheduleId, Trigger};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Year},
};

use super::{JobRequest, Lifecycle, RequestRules, away, push, visible_to};
use crate::db::{
    self,
    schedules::{self, DueSchedule, Fired, NewScheduleRow, Plan},
};

/// A time that is later than this was missed: no server was there. Starting one again takes less.
const ON_TIME: TimeDelta = TimeDelta::seconds(60);
/// How many schedules are looked at in one go.
const PAGE: i64 = 100;
const NAME_CHARS: usize = 100;

/// The times that a cron expression names in a time zone.
struct Times {
    cron: Cron,
    timezone: Tz,
}

impl Times {
    fn parse(cron: &str, timezone: &str) -> Result<Self, ApiError> {
        let cron = CronParser::builder().year(Year::Disallowed).build().parse(cron).map_err(|error| {
            let message = format!(
                "`{cron}` is no cron expression ({error}) Write minute, hour, day, month and weekday, e.g. `0 3 * * 1-5`; \
                 seconds may stand in front."
            );
            ApiError::invalid("cron", message)
        })?;
        let timezone = Tz::from_str(timezone).map_err(|_| {
            ApiError::invalid(
                "timezone",
                format!("There is no time zone `{timezone}`. Write e.g. Europe/Berlin or UTC."),
            )
        })?;
        Ok(Self { cron, timezone })
    }

    /// The first one after `time`; none where the expression names a day that does not come.
    fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&time.with_timezone(&self.timezone), false);
        next.ok().map(|next| next.to_utc())
    }
}

/// A request for a schedule that can be kept. Only [`ScheduleRequest::parse`] makes one.
#[derive(Debug)]
pub struct ScheduleRequest {
    name: String,
    cron: String,
    timezone: String,
    missed: Missed,
    job: NewJob,
    next_at: DateTime<Utc>,
}

impl ScheduleRequest {
    pub fn parse(new: NewSchedule, rules: &RequestRules, now: DateTime<Utc>) -> Result<Self, ApiError> {
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
            return Err(ApiError::invalid(
                "name",
                format!("Give it a name of at most {NAME_CHARS} characters."),
            ));
        }
        let given =
            |field: Option<String>| field.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let cron = new.cron.trim().to_owned();
        let timezone = given(new.timezone).unwrap_or_else(|| "UTC".to_owned());
        let next_at = Times::parse(&cron, &timezone)?.after(now);
        let next_at =
            next_at.ok_or_else(|| ApiError::invalid("cron", "This names no time that will ever come."))?;
        let missed = match given(new.missed) {
            None => Missed::Skip,
            Some(word) => word.parse().map_err(|error| ApiError::invalid("missed", format!("{error}.")))?,
        };
        for (field, is_given) in
            [("run_at", new.job.run_at.is_some()), ("idempotency_key", new.job.idempotency_key.is_some())]
        {
            if is_given {
                let message = "Leave it out: the schedule says when, and each time makes a job of its own.";
                return Err(ApiError::invalid(format!("job.{field}"), message));
            }
        }
        // Each time it is parsed again, because the rules may have changed by then.
        JobRequest::parse(new.job.clone(), Trigger::Schedule, rules).map_err(|error| match error {
            ApiError::Invalid { field, message } => ApiError::invalid(format!("job.{field}"), message),
            error => error,
        })?;
        Ok(Self { name: name.to_owned(), cron, timezone, missed, job: new.job, next_at })
    }
}

impl Lifecycle {
    pub async fn schedules(&self, person: &Person) -> Result<Vec<Schedule>, ApiError> {
        schedules::list(&self.db, visible_to(person), None).await.map_err(away)
    }

    pub async fn create_schedule(
        &self,
        person: &Person,
        request: &ScheduleRequest,
    ) -> Result<Schedule, ApiError> {
        let id = ScheduleId::new();
        let new = NewScheduleRow {
            id,
            name: &request.name,
            cron: &request.cron,
            timezone: &request.timezone,
            missed: request.missed,
            job: &request.job,
            created_by: person.id,
            next_at: request.next_at,
        };
        if !schedules::insert(&self.db, &new).await.map_err(away)? {
            return Err(ApiError::Conflict(format!(
                "You have a schedule `{}` already. Delete it first, or take another name.",
                request.name
            )));
        }
        let made = schedules::list(&self.db, visible_to(person), Some(id)).await.map_err(away)?;
        made.into_iter().next().ok_or_else(|| no_schedule(id))
    }

    pub async fn delete_schedule(&self, person: &Person, id: ScheduleId) -> Result<(), ApiError> {
        let deleted = schedules::delete(&self.db, visible_to(person), id).await.map_err(away)?;
        deleted.then_some(()).ok_or_else(|| no_schedule(id))
    }
}

fn no_schedule(id: ScheduleId) -> ApiError {
    ApiError::NotFound(format!("There is no schedule {id}. It may have been deleted."))
}

/// Makes the jobs whose time has come. To be called once a second; several servers may do so at once.
pub async fn fire_due(lifecycle: &Lifecycle, rules: &RequestRules) -> sqlx::Result<()> {
    loop {
        let mut goes_on = false;
        for schedule in schedules::due(&lifecycle.db, PAGE).await? {
            match fire_or_note(lifecycle, rules, &schedule).await {
                Ok(()) => goes_on = true,
                Err(error) if db::is_passing(&error) => return Err(error),
                // It must not be in the way of the others.
                Err(error) => tracing::error!(schedule.id = %schedule.id, %error, "a schedule is stuck"),
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// Makes the job, or notes why there is none.
async fn fire_or_note(lifecycle: &Lifecycle, rules: &RequestRules, due: &DueSchedule) -> sqlx::Result<()> {
    let was_missed = due.now - due.at > ON_TIME;
    let times = Times::parse(&due.cron, &due.timezone);
    let next = times.as_ref().ok().and_then(|times| times.after(if was_missed { due.now } else { due.at }));
    let why = match (times, &due.plan) {
        // Another version may have read it.
        (Err(error), _) => error.to_string(),
        (_, Err(error)) => format!("This version of Millrace cannot read it: {error}"),
        (Ok(_), Ok(plan)) if was_missed && plan.missed == Missed::Skip => {
            schedules::advance(&lifecycle.db, due.id, due.at, next, &Fired::Nothing).await?;
            return Ok(());
        }
        (Ok(_), Ok(plan)) => match JobRequest::parse(plan.job.clone(), Trigger::Schedule, rules) {
            Err(error) => error.to_string(),
            Ok(request) => match fire(lifecycle, &request, plan, due, next).await {
                Err(error) if !db::is_passing(&error) => format!("Postgres does not take its job: {error}"),
                fired => return fired,
            },
        },
    };
    tracing::warn!(schedule.id = %due.id, why, "a schedule made no job");
    schedules::advance(&lifecycle.db, due.id, due.at, next, &Fired::Error(why)).await.map(drop)
}

async fn fire(
    lifecycle: &Lifecycle,
    request: &JobRequest,
    plan: &Plan,
    due: &DueSchedule,
    next: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    let mut transaction = lifecycle.db.begin().await?;
    let row = request.row(JobId::new(), &plan.owner);
    let made = db::insert(&mut *transaction, std::slice::from_ref(&row)).await?;
    // Whoever is second waits here for the first, finds the time gone, and takes the job back.
    if schedules::advance(&mut *transaction, due.id, due.at, next, &Fired::Job(row.id)).await? {
        transaction.commit().await?;
        tokio::join!(push(&lifecycle.queue, &made), lifecycle.changed(&made));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, timezone: &str, after: &str) -> Option<String> {
        let after = DateTime::parse_from_rfc3339(after).unwrap().to_utc();
        let next = Times::parse(cron, timezone).unwrap().after(after)?;
        Some(next.format("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    #[test]
    fn five_fields_are_minutes_and_six_are_seconds() {
        let after = "2030-01-31T10:00:00.500Z";
        assert_eq!(next("*/5 * * * *", "UTC", after).unwrap(), "2030-01-31T10:05:00Z");
        assert_eq!(next("*/5 * * * * *", "UTC", after).unwrap(), "2030-01-31T10:00:05Z");
        assert_eq!(next("0 3 * * 1-5", "UTC", "2030-02-01T04:00:00Z").unwrap(), "2030-02-04T03:00:00Z");
    }

    #[test]
    fn times_are_those_of_the_zone_also_when_its_clocks_change() {
        let berlin = |cron, after| next(cron, "Europe/Berlin", after).unwrap();
        assert_eq!(berlin("0 3 * * *", "2030-01-31T10:00:00Z"), "2030-02-01T02:00:00Z");
        assert_eq!(berlin("0 3 * * *", "2030-07-31T10:00:00Z"), "2030-08-01T01:00:00Z");
        // On 31 March 2030 there is no 02:30; on 27 October there are two, of which one counts.
        assert_eq!(berlin("30 2 * * *", "2030-03-30T10:00:00Z"), "2030-03-31T01:00:00Z");
        assert_eq!(berlin("30 2 * * *", "2030-10-26T10:00:00Z"), "2030-10-27T00:30:00Z");
        assert_eq!(berlin("30 2 * * *", "2030-10-27T00:30:00Z"), "2030-10-28T01:30:00Z");
    }

    #[test]
    fn what_names_no_time_is_refused() {
        for cron in ["", "nonsense", "* * * *", "60 * * * *", "* * * * * * *", "* * * * * * 2030", "0 0 31 2"]
        {
            assert!(
                matches!(Times::parse(cron, "UTC"), Err(ApiError::Invalid { field, .. }) if field == "cron"),
                "{cron}"
            );
        }
        assert_eq!(next("0 0 31 2 *", "UTC", "2030-01-01T00:00:00Z"), None);
        assert!(
            matches!(Times::parse("* * * * *", "Berlin"), Err(ApiError::Invalid { field, .. }) if field == "timezone")
        );
    }
}
