//! Watching: replay, then live, then done; each line exactly once, whenever one joins and however slow one is.

use std::time::Duration;

use app::model::{JobId, JobState, Kind, Line, NewToken, Role, Stream};
use redis::AsyncCommands;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::harness::{
    App, Browser, Event, EventStream, Ghost, OwnRedis, assert_gapless, lines_of, texts, until,
};

/// The ids of `output` events must be the numbers of their last lines.
fn assert_ids(events: &[Event]) {
    for event in events.iter().filter(|event| event.name == "output") {
        assert_eq!(event.id, event.lines().last().map(|line| line.seq));
    }
}

/// A viewer whose browser had seen lines up to `seen`.
async fn come_back(app: &App, id: JobId, seen: u64) -> EventStream {
    let request = app.request(Method::GET, &format!("/api/jobs/{id}/stream"));
    app.open(request.header("last-event-id", seen.to_string())).await
}

#[tokio::test]
async fn a_viewer_gets_what_was_then_what_comes_then_the_end() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("more");
    let id = app.submit(&format!("echo one; echo two >&2\n{}\necho three\nexit 4", gate.wait())).await;
    app.wait_for_line(id, "two").await;

    let mut stream = app.stream(id).await;
    assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.response.headers()["x-accel-buffering"], "no");
    let first = stream.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["state"], &first.data["id"]),
        ("status", &json!("running"), &json!(id))
    );
    let replayed = stream.take_lines(4).await;
    gate.open();
    let events = stream.rest().await;

    assert_ids(&events);
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), last.id), ("done", None));
    let lines = [replayed, lines_of(&events)].concat();
    assert_eq!(last.data, json!({ "state": "failed", "attempt": 1, "lines": lines.len() }));
    assert_eq!(lines, app.output(id).await);
    assert_gapless(&lines, 1);
    assert!(events.iter().any(|event| event.name == "status" && event.data["state"] == "failed"));
}

#[tokio::test]
async fn a_viewer_that_comes_back_goes_on_where_it_was_at_every_line() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("seq 20").await.job;
    let all = app.output(job.id).await;

    for seen in 0..=all.len() {
        let missing = &all[seen..];
        let by_header = come_back(&app, job.id, seen as u64).await.rest().await;
        assert_eq!(lines_of(&by_header), missing);
        assert_eq!(by_header.last().unwrap().name, "done");
        let by_address = app.stream_with(job.id, &format!("?after={seen}")).await.rest().await;
        assert_eq!(lines_of(&by_address), missing);
        let in_arrays = app.stream_with(job.id, &format!("?after={seen}&batch=1")).await.rest().await;
        assert_eq!(lines_of(&in_arrays), missing);
        assert_ids(&in_arrays);
    }
    // What the browser says it has seen goes before the address that it opened long ago.
    let request = app.request(Method::GET, &format!("/api/jobs/{}/stream?after=3", job.id));
    let events = app.open(request.header("last-event-id", "10")).await.rest().await;
    assert_eq!(lines_of(&events), all[10..]);
}

#[tokio::test]
async fn a_viewer_whose_connection_breaks_again_and_again_misses_and_repeats_nothing() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let id =
        app.submit("for i in $(seq 1000); do echo $i; [ $((i % 50)) = 0 ] && sleep 0.01; done; true").await;
    app.wait_until(id, JobState::Running).await;

    let (mut seen, mut ended) = (Vec::<Line>::new(), false);
    while !ended {
        let mut stream = come_back(&app, id, seen.last().map_or(0, |line| line.seq)).await;
        for _ in 0..40 {
            let Some(event) = stream.next().await else { break };
            ended |= event.name == "done";
            seen.extend(event.lines());
        }
    }

    assert_eq!(seen, app.output(id).await);
    assert_eq!(texts(&seen, Stream::Stdout).len(), 1000);
}

#[tokio::test]
async fn a_batch_is_an_array_with_the_number_of_its_last_line() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("seq 3000").await.job;

    let events = app.stream_with(job.id, "?batch=1").await.rest().await;

    let output: Vec<&Event> = events.iter().filter(|event| event.name == "output").collect();
    assert!(output.iter().all(|event| event.data.is_array()));
    assert!(output.len() < 100, "{} events for 3000 lines", output.len());
    assert_ids(&events);
    assert_eq!(lines_of(&events), app.output(job.id).await);
    let each = app.stream_with(job.id, "?batch=0").await.rest().await;
    assert!(each.iter().filter(|event| event.name == "output").all(|event| event.data.is_object()));
}

#[tokio::test]
async fn a_viewer_may_come_before_the_job_starts() {
    let app = App::start().await;
    let id = app.submit("echo hello").await;
    let mut stream = app.stream(id).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["state"]), ("status", &json!("queued")));

    let _runner = app.runner().await;
    let events = stream.rest().await;

    assert_eq!(lines_of(&events), app.output(id).await);
    assert_eq!(events.last().unwrap().data["state"], "succeeded");
}

#[tokio::test]
async fn fifty_viewers_at_once_all_see_the_same() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("more");
    let id = app.submit(&format!("seq 200\n{}\nfor i in $(seq 201 1000); do echo $i; [ $((i % 40)) = 0 ] && sleep 0.02; done; true", gate.wait())).await;
    app.wait_for_line(id, "200").await;

    let mut viewers = Vec::new();
    for number in 0..50 {
        let query = if number % 2 == 0 { "?batch=1" } else { "" };
        let stream = app.stream_with(id, query).await;
        viewers.push(tokio::spawn(stream.rest()));
        if number == 25 {
            gate.open();
        }
    }

    app.wait_until(id, JobState::Succeeded).await;
    let lines = app.output(id).await;
    for viewer in viewers {
        let events = viewer.await.unwrap();
        assert_eq!(lines_of(&events), lines);
        assert_eq!(events.last().unwrap().name, "done");
    }
}

#[tokio::test]
async fn however_many_watch_a_job_its_lines_are_read_for_all_of_them_at_once() {
    const VIEWERS: usize = 50;
    const LINES: usize = 10;
    let redis = OwnRedis::start();
    let app = App::with(&[("MILLRACE_REDIS__URL", redis.url())]).await;
    let ghost = Ghost::start(&app).await;
    assert!(ghost.print("line 0").await);
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        let mut viewer = app.stream(ghost.id).await;
        viewer.next_named("output").await;
        viewers.push(viewer);
    }

    // Each reading of the list looks at its head first.
    let before = redis.calls("lindex");
    for number in 1..=LINES {
        let text = format!("line {number}");
        assert!(ghost.print(&text).await);
        for viewer in &mut viewers {
            assert_eq!(viewer.next_named("output").await.data["line"], text);
        }
    }

    let reads = redis.calls("lindex") - before;
    assert!(reads >= LINES, "the list was read {reads} times for {LINES} lines");
    assert!(reads < LINES * VIEWERS, "the list was read {reads} times for {LINES} lines");
}

#[tokio::test]
async fn a_viewer_that_cannot_keep_up_gets_everything_all_the_same() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("begin");
    // More than the buffers between server and viewer hold.
    let line = "x".repeat(1000);
    let id = app
        .submit(&format!(
            "{}\nfor i in $(seq 30); do yes {line} | head -n 1000; sleep 0.01; done",
            gate.wait()
        ))
        .await;
    app.wait_until(id, JobState::Running).await;
    let mut slow = app.stream_with(id, "?batch=1").await;
    slow.next_named("status").await;

    gate.open();
    // It reads nothing until all has been printed.
    app.wait_until(id, JobState::Succeeded).await;
    let events = slow.rest().await;

    let lines = lines_of(&events);
    assert_gapless(&lines, 1);
    assert_eq!(texts(&lines, Stream::Stdout).len(), 30_000);
    assert_eq!(events.last().unwrap().name, "done");
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_waits_ends_its_viewers_stream() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let mut stream = app.stream(id).await;
    stream.next_named("status").await;

    app.cancel(id).await;

    let events = stream.rest().await;
    assert!(events.iter().any(|event| event.name == "status" && event.data["state"] == "canceled"));
    let last = events.last().unwrap();
    assert_eq!(
        (last.name.as_str(), &last.data),
        ("done", &json!({ "state": "canceled", "attempt": 0, "lines": 0 }))
    );
    // And so does that of somebody who comes afterwards.
    let events = app.stream(id).await.rest().await;
    assert_eq!(events.last().unwrap().name, "done");
}

#[tokio::test]
async fn an_earlier_attempt_can_be_watched_after_a_retry() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("echo attempt $MILLRACE_ATTEMPT").await.job;
    app.retry(job.id).await;
    until("the second attempt has ended", async || {
        let job = app.job(job.id).await.job;
        job.attempt == 2 && job.state.is_finished()
    })
    .await;

    let first = app.stream_with(job.id, "?attempt=1").await.rest().await;
    let latest = app.stream(job.id).await.rest().await;

    assert_eq!(texts(&lines_of(&first), Stream::Stdout), ["attempt 1"]);
    assert_eq!(first.last().unwrap().data["attempt"], 1);
    assert_eq!(texts(&lines_of(&latest), Stream::Stdout), ["attempt 2"]);
    assert_eq!(latest.last().unwrap().data["attempt"], 2);
}

/// The server has ended the stream, because it was open for as long as one may be.
#[track_caller]
fn assert_expired(events: &[Event]) {
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["code"]), ("error", &json!("expired")));
}

#[tokio::test]
async fn a_stream_that_was_open_long_enough_says_so_and_its_viewer_goes_on() {
    let app = App::with(&[("MILLRACE_SERVER__STREAM_SECONDS", "1")]).await;
    let ghost = Ghost::start(&app).await;
    assert!(ghost.print("one").await && ghost.print("two").await);

    let events = app.stream(ghost.id).await.rest().await;
    assert_expired(&events);
    let mut seen = lines_of(&events);
    assert!(ghost.print("three").await);
    while seen.len() < 3 {
        let mut next = come_back(&app, ghost.id, seen.last().map_or(0, |line| line.seq)).await;
        seen.extend(next.take_lines(3 - seen.len()).await);
    }

    assert_eq!(texts(&seen, Stream::Stdout), ["one", "two", "three"]);
    assert_gapless(&seen, 1);
}

#[tokio::test]
async fn streams_of_the_board_and_of_a_job_that_waits_end_by_the_clock_too() {
    let app = App::with(&[("MILLRACE_SERVER__STREAM_SECONDS", "1")]).await;
    let id = app.submit("true").await;

    assert_expired(&app.stream(id).await.rest().await);
    assert_expired(&app.board_stream(&app.token).await.rest().await);
}

#[tokio::test]
async fn who_may_not_watch_any_more_is_soon_sent_away() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let ghost = Ghost::start(&app).await;
    let browser = Browser::signed_in(&app, "owner").await;
    let token: NewToken =
        app.post_json("/api/tokens", &json!({ "name": "watch" })).await.json().await.unwrap();
    let secret = SecretString::from(token.token);
    let path = |id: JobId| format!("/api/jobs/{id}/stream");
    let by_token = |path: String| app.http.get(app.url(&path)).bearer_auth(secret.expose_secret()).send();
    let mut streams = vec![
        EventStream::new(by_token(path(id)).await.unwrap()),
        EventStream::new(by_token(path(ghost.id)).await.unwrap()),
        app.board_stream(&secret).await,
        EventStream::new(browser.get(&path(ghost.id)).await),
        EventStream::new(browser.get("/api/jobs/stream").await),
    ];
    app.request(Method::DELETE, &format!("/api/tokens/{}", token.info.id)).send().await.unwrap();
    sqlx::query("DELETE FROM sessions").execute(app.db()).await.unwrap();

    for stream in &mut streams {
        let last = loop {
            let event = stream.next().await.expect("the last words");
            if event.name == "error" {
                break event;
            }
        };
        assert_eq!(last.data["code"], "sign_in");
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn a_comment_keeps_the_connection_awake() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let mut response = app.get(&format!("/api/jobs/{id}/stream")).await;

    let mut text = Vec::new();
    while !text.windows(4).any(|bytes| bytes == b"\n:\n\n") {
        text.extend_from_slice(&response.chunk().await.unwrap().expect("the stream goes on"));
    }
}

#[tokio::test]
async fn viewers_notice_lines_and_the_end_although_no_bell_rings() {
    let app = App::start().await;
    let id = app.submit("true").await;
    app.lifecycle.start(Kind::Command, &[id], "ghost", Duration::from_secs(3600)).await.unwrap();
    let mut stream = app.stream(id).await;
    stream.next_named("status").await;
    let (mut redis, list) = (app.queue().connection(), app.queue().keys().output(id, 1));

    for seq in 1..=2 {
        let line =
            format!("{{\"seq\":{seq},\"timestamp\":1,\"stream\":\"stdout\",\"line\":\"silent {seq}\"}}");
        let _: () = redis.rpush(&list, line).await.unwrap();
        let event = stream.next_named("output").await;
        assert_eq!(event.data["line"], format!("silent {seq}"));
    }
    sqlx::query("UPDATE attempts SET state = 'succeeded', lines = 2, finished_at = now() WHERE job_id = $1")
        .bind(id.as_uuid())
        .execute(app.db())
        .await
        .unwrap();

    assert_eq!(stream.next_named("done").await.data["lines"], 2);
}

#[tokio::test]
async fn cutting_all_subscriptions_costs_no_line() {
    let redis = OwnRedis::start();
    let app = App::with(&[("MILLRACE_REDIS__URL", redis.url())]).await;
    let _runner = app.runner().await;
    let gate = app.gate("more");
    let id = app.submit(&format!("seq 100\n{}\nseq 101 200", gate.wait())).await;
    app.wait_for_line(id, "100").await;
    let mut stream = app.stream(id).await;
    let mut lines = stream.take_lines(102).await;

    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    gate.open();
    lines.extend(lines_of(&stream.rest().await));

    assert_eq!(lines, app.output(id).await);
}

#[tokio::test]
async fn the_board_hears_of_every_job_in_order_and_of_the_figures() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let mut board = app.board_stream(&app.token).await;
    let lane = board.next_named("figures").await;
    let kinds: Vec<&Value> =
        lane.data["lanes"].as_array().unwrap().iter().map(|lane| &lane["kind"]).collect();
    assert_eq!(kinds, ["agent", "command"]);
    assert_eq!(lane.data["figures"]["succeeded"], 0);

    let id = app.submit("echo hello").await;
    let (mut revisions, mut states, mut spoken) = (Vec::new(), Vec::new(), Vec::new());
    while states.last() != Some(&json!("succeeded")) {
        let event = board.next().await.unwrap();
        match event.name.as_str() {
            "job" => {
                assert_eq!(event.data["id"], json!(id));
                revisions.push(event.data["revision"].as_i64().unwrap());
                states.push(event.data["state"].clone());
            }
            "line" => spoken.push(event.data["id"].clone()),
            _ => {}
        }
    }

    assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
    states.dedup();
    assert_eq!(states, ["queued", "running", "succeeded"]);
    assert!(spoken.iter().all(|job| *job == json!(id)));
    let figures = board.next_named("figures").await;
    assert_eq!(figures.data["figures"]["succeeded"], 1);
    assert_eq!(figures.data["figures"]["runners"], 1);
}

#[tokio::test]
async fn the_board_shows_a_running_jobs_newest_line() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let mut board = app.board_stream(&app.token).await;
    let gate = app.gate("end");

    let id = app.submit(&format!("printf '10%%\\r\\033[32m20%%\\033[0m\\n'\n{}", gate.wait())).await;
    let mut lines = Vec::new();
    // The first line is Millrace's own, and lines are a second apart at least; so ask the board itself as well.
    lines.push(board.next_named("line").await.data);
    assert_eq!(lines[0]["id"], json!(id));
    assert!(lines[0]["line"].as_str().unwrap().starts_with("Fetching "));
    gate.open();
    app.wait_until(id, JobState::Succeeded).await;
}

#[tokio::test]
async fn a_member_does_not_hear_of_other_peoples_jobs() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let token = app.token_of("mia", Role::Member).await;
    let mut board = app.board_stream(&token).await;
    board.next_named("figures").await;

    app.run("echo secret").await;
    let response =
        app.http.post(app.url("/api/jobs")).bearer_auth(secrecy::ExposeSecret::expose_secret(&token));
    let made: Value = response.json(&app.new_job(json!({}))).send().await.unwrap().json().await.unwrap();
    let mut events = Vec::new();
    loop {
        let event = board.next().await.unwrap();
        let is_end = event.name == "job" && event.data["state"] == "succeeded";
        events.push(event);
        if is_end {
            break;
        }
    }

    for event in events {
        match event.name.as_str() {
            "job" | "line" => assert_eq!(event.data["id"], made["id"]),
            "figures" => assert!(event.data["figures"]["succeeded"].as_u64().unwrap() <= 1, "{}", event.data),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn the_board_finds_a_change_that_nobody_announced() {
    let app = App::start().await;
    let id = app.submit("true").await;
    let mut board = app.board_stream(&app.token).await;
    let mut viewer = app.stream(id).await;
    viewer.next_named("status").await;

    sqlx::query(
        "UPDATE jobs SET state = 'canceled', finished_at = now(), revision = revision + 1 WHERE id = $1",
    )
    .bind(id.as_uuid())
    .execute(app.db())
    .await
    .unwrap();

    loop {
        let event = board.next_named("job").await;
        if event.data["state"] == "canceled" {
            break;
        }
    }
    assert_eq!(viewer.next_named("done").await.data["state"], "canceled");
}
