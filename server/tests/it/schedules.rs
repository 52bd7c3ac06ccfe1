//! Jobs that the clock makes: one for each time, by whichever server looks first.

use app::model::{JobPage, Role, Schedule, ScheduleId};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use millrace::lifecycle::{RequestRules, fire_due};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{App, eventually, until};

/// A time that is far away, so that only what a test does to `next_at` makes it come.
const NEW_YEAR: &str = "0 0 1 1 *";

fn new(app: &App, fields: Value) -> Value {
    let mut schedule = json!({ "name": "nightly", "cron": NEW_YEAR, "job": app.new_job(json!({})) });
    schedule.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    schedule
}

async fn create(app: &App, fields: Value) -> Schedule {
    let response = app.post_json("/api/schedules", &new(app, fields)).await;
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, StatusCode::CREATED, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn read(app: &App, id: ScheduleId) -> Schedule {
    let all: Vec<Schedule> = serde_json::from_value(app.get_json("/api/schedules").await).unwrap();
    all.into_iter().find(|schedule| schedule.id == id).unwrap()
}

async fn jobs(app: &App) -> JobPage {
    serde_json::from_value(app.get_json("/api/jobs?limit=200").await).unwrap()
}

/// Lets the time of all schedules have come that many seconds ago.
async fn let_come(app: &App, seconds_ago: i32) {
    sqlx::query("UPDATE schedules SET next_at = date_trunc('second', now()) - $1 * interval '1 second'")
        .bind(seconds_ago)
        .execute(app.db())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_schedule_makes_its_job_when_its_time_comes() {
    let app = App::start().await;
    let schedule = create(&app, json!({ "timezone": "Europe/Berlin" })).await;
    assert_eq!((schedule.created_by.as_str(), schedule.missed.as_str()), ("owner", "skip"));
    let new_year = DateTime::from_timestamp_millis(schedule.next_at.unwrap().0).unwrap();
    assert!(new_year.format("%m-%d %H:%M:%S").to_string() == "12-31 23:00:00", "{new_year}");

    let_come(&app, 1).await;

    let fired = eventually("it has fired", async || {
        let schedule = read(&app, schedule.id).await;
        schedule.last_job.is_some().then_some(schedule)
    })
    .await;
    let job = app.job(fired.last_job.unwrap()).await;
    assert_eq!((job.job.trigger.as_str(), job.job.created_by.as_deref()), ("schedule", Some("owner")));
    assert_eq!(job.script.as_deref(), Some("true"));
    assert_eq!(fired.next_at, schedule.next_at, "again at New Year");
    assert_eq!(jobs(&app).await.jobs.len(), 1);
}

#[tokio::test]
async fn of_many_servers_one_makes_the_job() {
    let app = App::start().await;
    for number in 0..20 {
        create(&app, json!({ "name": number.to_string() })).await;
    }
    let rules = RequestRules::new(&app.config);

    let_come(&app, 1).await;
    for fired in join_all((0..8).map(|_| fire_due(&app.lifecycle, &rules))).await {
        fired.unwrap();
    }

    let made: i64 = sqlx::query_scalar("SELECT count(DISTINCT last_job) FROM schedules")
        .fetch_one(app.db())
        .await
        .unwrap();
    assert_eq!((made, jobs(&app).await.jobs.len()), (20, 20));
}

#[tokio::test]
async fn each_time_that_comes_late_but_not_too_late_makes_its_job() {
    let app = App::start().await;
    create(&app, json!({ "cron": "* * * * * *" })).await;
    // At once with the count of what was made, because the server goes on meanwhile.
    let begin: DateTime<Utc> = sqlx::query_scalar(
        "WITH gone AS (DELETE FROM jobs)
         UPDATE schedules SET next_at = date_trunc('second', now()) - interval '10 seconds' RETURNING next_at",
    )
    .fetch_one(app.db())
    .await
    .unwrap();

    until("the present is reached", async || {
        let (next, now, jobs): (DateTime<Utc>, DateTime<Utc>, i64) =
            sqlx::query_as("SELECT next_at, now(), (SELECT count(*) FROM jobs) FROM schedules")
                .fetch_one(app.db())
                .await
                .unwrap();
        assert_eq!(jobs, (next - begin).num_seconds());
        next > now
    })
    .await;
}

#[tokio::test]
async fn times_that_were_missed_are_left_out_or_made_up_for_once() {
    let app = App::start().await;
    let skip = create(&app, json!({ "name": "skip", "cron": "*/5 * * * *", "missed": "skip" })).await.id;
    let once = create(&app, json!({ "name": "once", "cron": "*/5 * * * *", "missed": "once" })).await.id;

    let_come(&app, 6 * 3600).await;

    until("both have gone on", async || {
        let now = Utc::now().timestamp_millis();
        read(&app, skip).await.next_at.unwrap().0 > now && read(&app, once).await.next_at.unwrap().0 > now
    })
    .await;
    assert_eq!(read(&app, skip).await.last_job, None);
    assert_eq!(read(&app, once).await.last_job, Some(jobs(&app).await.jobs[0].id));
    assert_eq!(jobs(&app).await.jobs.len(), 1);
}

#[tokio::test]
async fn a_job_that_can_no_longer_be_made_is_noted_and_the_next_time_is_tried_again() {
    let app = App::start().await;
    let id = create(&app, json!({})).await.id;
    // As if the installation's rules had changed.
    sqlx::query("UPDATE schedules SET job = jsonb_set(job, '{kind}', '\"dance\"')")
        .execute(app.db())
        .await
        .unwrap();

    let_come(&app, 1).await;

    let noted = eventually("the error is noted", async || {
        let schedule = read(&app, id).await;
        schedule.error.is_some().then_some(schedule)
    })
    .await;
    assert!(noted.error.unwrap().contains("`dance`"));
    assert!(noted.next_at.is_some() && noted.last_at.is_some() && noted.last_job.is_none());

    sqlx::query("UPDATE schedules SET job = jsonb_set(job, '{kind}', '\"command\"')")
        .execute(app.db())
        .await
        .unwrap();
    let_come(&app, 1).await;
    until("it works again", async || read(&app, id).await.last_job.is_some()).await;
    assert_eq!(read(&app, id).await.error, None);
}

#[tokio::test]
async fn a_schedule_that_is_broken_is_not_in_the_way_of_the_others() {
    let app = App::start().await;
    let unreadable = create(&app, json!({ "name": "unreadable" })).await.id;
    let job = app.new_job(json!({ "script": "echo refused" }));
    let refused = create(&app, json!({ "name": "refused", "job": job })).await.id;
    let good = create(&app, json!({ "name": "good" })).await.id;
    app.refuse("INSERT ON job_requests FOR EACH ROW WHEN (NEW.script = 'echo refused')", "22000").await;
    // As if a newer version had written it.
    sqlx::query("UPDATE schedules SET job = '{\"kind\": 7}' WHERE name = 'unreadable'")
        .execute(app.db())
        .await
        .unwrap();

    sqlx::query(
        "UPDATE schedules SET next_at = date_trunc('second', now())
                                        - CASE WHEN name = 'good' THEN 1 ELSE 5 END * interval '1 second'",
    )
    .execute(app.db())
    .await
    .unwrap();

    until("the good one has fired", async || read(&app, good).await.last_job.is_some()).await;
    for (id, why) in [(unreadable, "cannot read it"), (refused, "refused for a test")] {
        let schedule = read(&app, id).await;
        assert!(schedule.error.as_ref().is_some_and(|error| error.contains(why)), "{schedule:?}");
        assert_eq!(schedule.last_job, None);
        assert!(schedule.next_at.unwrap().0 > Utc::now().timestamp_millis(), "it is tried again at New Year");
    }
    assert_eq!(jobs(&app).await.jobs.len(), 1);
}

#[tokio::test]
async fn a_deleted_schedule_makes_no_more_jobs_and_its_jobs_stay() {
    let app = App::start().await;
    let id = create(&app, json!({})).await.id;
    let_come(&app, 1).await;
    until("it has fired", async || read(&app, id).await.last_job.is_some()).await;
    let delete =
        async || app.request(Method::DELETE, &format!("/api/schedules/{id}")).send().await.unwrap().status();

    assert_eq!(delete().await, StatusCode::NO_CONTENT);

    assert_eq!(app.get_json("/api/schedules").await, json!([]));
    assert_eq!(jobs(&app).await.jobs.len(), 1);
    assert_eq!(delete().await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_is_refused_by_its_field() {
    let app = App::start().await;
    let refused = async |fields: Value| -> String {
        let response = app.post_json("/api/schedules", &new(&app, fields)).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        response.json::<Value>().await.unwrap()["field"].as_str().unwrap().to_owned()
    };

    assert_eq!(refused(json!({ "cron": "now and then" })).await, "cron");
    assert_eq!(refused(json!({ "cron": "99 * * * *" })).await, "cron");
    assert_eq!(refused(json!({ "cron": "0 0 31 2 *" })).await, "cron");
    assert_eq!(refused(json!({ "timezone": "Middle/Earth" })).await, "timezone");
    assert_eq!(refused(json!({ "missed": "twice" })).await, "missed");
    assert_eq!(refused(json!({ "name": " " })).await, "name");
    assert_eq!(refused(json!({ "job": app.new_job(json!({ "priority": "urgent" })) })).await, "job.priority");
    assert_eq!(refused(json!({ "job": app.new_job(json!({ "run_at": 1 })) })).await, "job.run_at");
    assert_eq!(
        refused(json!({ "job": app.new_job(json!({ "idempotency_key": "k" })) })).await,
        "job.idempotency_key"
    );

    create(&app, json!({})).await;
    let again = app.post_json("/api/schedules", &new(&app, json!({}))).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_member_sees_their_own_schedules_and_an_owner_all() {
    let app = App::start().await;
    let owners = create(&app, json!({})).await.id;
    let token = app.token_of("mia", Role::Member).await;
    let as_mia = |method: Method, path: &str| {
        app.http.request(method, app.url(path)).bearer_auth(token.expose_secret())
    };

    let made = as_mia(Method::POST, "/api/schedules").json(&new(&app, json!({}))).send().await.unwrap();
    let made: Schedule = made.json().await.unwrap();

    let listed: Vec<Schedule> =
        as_mia(Method::GET, "/api/schedules").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed.iter().map(|schedule| schedule.id).collect::<Vec<_>>(), [made.id]);
    let response = as_mia(Method::DELETE, &format!("/api/schedules/{owners}")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(read(&app, made.id).await.created_by, "mia");
}

#[tokio::test]
async fn a_schedule_of_somebody_who_was_sent_away_makes_no_jobs() {
    let app = App::start().await;
    let token = app.token_of("mia", Role::Member).await;
    let asked = app.http.post(app.url("/api/schedules")).bearer_auth(token.expose_secret());
    let made: Schedule = asked.json(&new(&app, json!({}))).send().await.unwrap().json().await.unwrap();
    let owners = create(&app, json!({})).await.id;
    sqlx::query("UPDATE users SET is_admitted = false, removed_at = now() WHERE login = 'mia'")
        .execute(app.db())
        .await
        .unwrap();

    let_come(&app, 1).await;

    eventually("the owner's has fired", async || read(&app, owners).await.last_job.map(drop)).await;
    assert_eq!(read(&app, made.id).await.last_job, None);
    assert_eq!(jobs(&app).await.jobs.len(), 1);
}
