//! A job's lines: complete, in order, bounded, wherever they are kept.

use app::model::{JobId, JobState, Line, OutputPage, Stream};
use millrace::output::WriteError;
use redis::AsyncCommands;

use crate::harness::{App, Ghost, OwnRedis, assert_gapless, eventually, lines_of, texts, until};

/// How many lines Redis holds of an attempt.
async fn live_lines(app: &App, id: JobId, attempt: u32) -> usize {
    app.queue().connection().llen(app.queue().keys().output(id, attempt)).await.unwrap()
}

/// The ranges of an attempt's chunks in the archive.
async fn chunks(app: &App, id: JobId, attempt: i32) -> Vec<(i64, i64)> {
    sqlx::query_as(
        "SELECT first_seq, last_seq FROM job_output WHERE job_id = $1 AND attempt = $2 ORDER BY last_seq",
    )
    .bind(id.as_uuid())
    .bind(attempt)
    .fetch_all(app.db())
    .await
    .unwrap()
}

/// The archive must hold every line from 1 to `total` once.
async fn assert_archived(app: &App, id: JobId, attempt: i32, total: usize) {
    let chunks = chunks(app, id, attempt).await;
    let mut next = 1;
    for (first, last) in &chunks {
        assert_eq!(*first, next, "a gap or an overlap: {chunks:?}");
        next = last + 1;
    }
    assert_eq!(next - 1, i64::try_from(total).unwrap());
}

/// What the script printed, as one text: the output without what Millrace itself said around it.
fn printed(text: &[u8]) -> &[u8] {
    let start = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    text[start..].strip_suffix(b"Finished with exit code 0.\n").unwrap()
}

#[tokio::test]
async fn two_hundred_thousand_lines_arrive_without_a_gap() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("seq 200000").await.job;

    assert_eq!(job.state, JobState::Succeeded);
    let lines = app.output(job.id).await;
    assert_gapless(&lines, 1);
    let printed = texts(&lines, Stream::Stdout);
    assert_eq!(printed.len(), 200_000);
    assert!(printed.iter().zip(1..).all(|(line, number)| line.parse() == Ok(number)));
    assert_archived(&app, job.id, 1, lines.len()).await;
    assert_eq!(app.attempts(job.id).await[0].lines, Some(lines.len() as u64));
}

#[tokio::test]
async fn redis_keeps_a_window_and_everything_stays_readable() {
    let app = App::with(&[("MILLRACE_OUTPUT__LIVE_LINES", "100")]).await;
    let _runner = app.runner().await;
    let (more, end) = (app.gate("more"), app.gate("end"));
    let id = app.submit(&format!("seq 2000\n{}\nseq 2001 3000\n{}", more.wait(), end.wait())).await;
    app.wait_for_line(id, "2000").await;
    // Only what is archived may leave the list.
    until("the first lines are archived", async || {
        chunks(&app, id, 1).await.last().is_some_and(|last| last.1 >= 2002)
    })
    .await;

    more.open();
    app.wait_for_line(id, "3000").await;

    assert!(live_lines(&app, id, 1).await < 2000, "the list was trimmed");
    let lines = app.output(id).await;
    assert_gapless(&lines, 1);
    assert_eq!(
        texts(&lines, Stream::Stdout).len(),
        3000,
        "the running job's output is readable from its first line"
    );
    let viewer = app.stream(id).await;
    end.open();
    assert_gapless(&lines_of(&viewer.rest().await), 1);
    assert_archived(&app, id, 1, app.output(id).await.len()).await;
}

#[tokio::test]
async fn a_line_of_fifty_megabytes_is_cut_into_marked_pieces_and_comes_out_as_it_went_in() {
    let app = App::start().await;
    let _runner = app.runner().await;
    // Ten bytes: characters of one, two, three and four bytes.
    let pattern = "aé€😀";

    let job = app.run(&format!("yes '{pattern}' | tr -d '\\n' | head -c 50000000\necho\necho end")).await.job;

    assert_eq!(job.state, JobState::Succeeded);
    let text = app.output_text(job.id).await;
    let mut expected = pattern.repeat(5_000_000).into_bytes();
    expected.extend_from_slice(b"\nend\n");
    assert!(printed(&text) == expected, "the download differs from what was printed");
    let page: OutputPage =
        serde_json::from_value(app.get_json(&format!("/api/jobs/{}/output?after=2&limit=20", job.id)).await)
            .unwrap();
    assert!(page.lines.iter().all(|line| line.line.len() <= 16 * 1024 && line.continues));
    let tail = app.get_json(&format!("/api/jobs/{}/output?after={}", job.id, page.total - 3)).await;
    let tail: OutputPage = serde_json::from_value(tail).unwrap();
    assert_eq!(tail.lines.iter().map(|line| line.continues).collect::<Vec<_>>(), [false; 3]);
    assert_eq!(tail.lines[1].line, "end");
}

#[tokio::test]
async fn binary_garbage_becomes_text_and_harms_nothing() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app
        .run("printf '\\377\\376\\000a\\n'\nhead -c 300000 /dev/urandom\necho\necho '\"quoted\\\" {}'\nprintf '\\033[31mred\\033[0m\\n'")
        .await
        .job;

    assert_eq!(job.state, JobState::Succeeded);
    let lines = app.output(job.id).await;
    assert_gapless(&lines, 1);
    let printed = texts(&lines, Stream::Stdout);
    assert_eq!(printed[0], "\u{FFFD}\u{FFFD}\u{0}a");
    assert_eq!(printed[printed.len() - 2..], ["\"quoted\\\" {}", "\x1b[31mred\x1b[0m"]);
    assert_eq!(lines_of(&app.stream(job.id).await.rest().await), lines);
    let text = app.output_text(job.id).await;
    assert!(text.ends_with(b"\x1b[31mred\x1b[0m\nFinished with exit code 0.\n"));
}

#[tokio::test]
async fn empty_lines_stay_and_a_carriage_return_before_the_break_goes() {
    let app = App::start().await;
    let _runner = app.runner().await;

    let job = app.run("printf 'a\\r\\n\\r\\n\\n10%%\\r20%%\\nend'").await.job;

    assert_eq!(app.stdout(job.id).await, ["a", "", "", "10%\r20%", "end"]);
}

#[tokio::test]
async fn pages_are_cut_where_they_are_asked_for() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("seq 20").await.job;
    let page = async |query: &str| -> OutputPage {
        serde_json::from_value(app.get_json(&format!("/api/jobs/{}/output?{query}", job.id)).await).unwrap()
    };

    // Two lines by Millrace itself, twenty by the script, one by Millrace.
    let all = page("").await;
    assert_eq!((all.lines.len(), all.total, all.next), (23, 23, None));
    for after in 0..=23 {
        let some = page(&format!("after={after}&limit=5")).await;
        let end = (after + 5).min(23);
        assert_eq!(some.lines, all.lines[after..end]);
        assert_eq!((some.total, some.next), (23, (end < 23).then_some(end as u64)));
    }
    assert_eq!(page("after=1000").await.lines, []);
}

#[tokio::test]
async fn a_redis_that_forgets_everything_loses_no_line_and_no_viewer_notices() {
    let redis = OwnRedis::start();
    let app = App::with(&[("MILLRACE_REDIS__URL", redis.url())]).await;
    let _runner = app.runner().await;
    let gates: Vec<_> = (0..4).map(|number| app.gate(&number.to_string())).collect();
    let script: Vec<String> = gates
        .iter()
        .map(|gate| format!("{}\nfor i in $(seq 300); do echo $i; sleep 0.001; done", gate.wait()))
        .collect();
    let id = app.submit(&script.join("\n")).await;
    app.wait_until(id, JobState::Running).await;
    let (mut one, mut many) = (app.stream(id).await, app.stream_with(id, "?batch=1").await);
    let (mut by_one, mut by_many) = (Vec::new(), Vec::new());

    for gate in &gates {
        gate.open();
        // In the middle of what this gate lets through.
        by_one.extend(one.take_lines(100).await);
        redis.command(&["FLUSHALL"]);
        by_many.extend(many.take_lines(100).await);
    }
    by_one.extend(lines_of(&one.rest().await));
    by_many.extend(lines_of(&many.rest().await));

    app.wait_until(id, JobState::Succeeded).await;
    let lines = app.output(id).await;
    assert_gapless(&lines, 1);
    let printed = texts(&lines, Stream::Stdout);
    assert!(
        printed.iter().zip((0..4).flat_map(|_| 1..=300)).all(|(line, number)| line.parse() == Ok(number))
    );
    assert_eq!(printed.len(), 1200);
    assert_eq!(by_one, lines);
    assert_eq!(by_many, lines);
    assert_archived(&app, id, 1, lines.len()).await;
}

#[tokio::test]
async fn a_redis_that_is_away_for_a_while_loses_no_line() {
    let mut redis = OwnRedis::start();
    let app = App::with(&[("MILLRACE_REDIS__URL", redis.url())]).await;
    let _runner = app.runner().await;
    let (away, back) = (app.gate("away"), app.gate("back"));
    let id = app
        .submit(&format!("seq 1000\n{}\nseq 1001 2000\n{}\nseq 2001 3000", away.wait(), back.wait()))
        .await;
    app.wait_for_line(id, "1000").await;
    let viewer = app.stream(id).await;

    redis.stop();
    away.open();
    // Without Redis, lines go to the archive.
    until("lines are archived", async || chunks(&app, id, 1).await.last().is_some_and(|last| last.1 >= 2002))
        .await;
    redis.start_again();
    back.open();

    app.wait_until(id, JobState::Succeeded).await;
    let lines = app.output(id).await;
    assert_gapless(&lines, 1);
    assert_eq!(texts(&lines, Stream::Stdout).len(), 3000);
    assert_eq!(lines_of(&viewer.rest().await), lines);
    let next = app.run("echo next").await.job;
    assert_eq!(next.state, JobState::Succeeded, "the queue works again");
}

#[tokio::test]
async fn what_redis_has_forgotten_after_the_end_comes_from_the_archive() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let job = app.run("seq 5000; seq 100 >&2").await.job;
    let lines = app.output(job.id).await;
    assert_eq!(live_lines(&app, job.id, 1).await, lines.len(), "the list still holds them");

    app.empty_redis().await;

    assert_eq!(app.output(job.id).await, lines);
    assert_eq!(lines_of(&app.stream_with(job.id, "?batch=1").await.rest().await), lines);
    assert_eq!(lines_of(&app.stream_with(job.id, "?after=4999").await.rest().await), lines[4999..]);
    assert_archived(&app, job.id, 1, lines.len()).await;
}

#[tokio::test]
async fn what_redis_keeps_runs_out_by_itself() {
    let app = App::with(&[("MILLRACE_OUTPUT__LIVE_HOURS", "2")]).await;
    let _runner = app.runner().await;
    let job = app.run("echo x").await.job;

    for key in [app.queue().keys().output(job.id, 1), app.queue().keys().fence(job.id)] {
        let left: i64 = app.queue().connection().ttl(&key).await.unwrap();
        assert!((1..=2 * 3600).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn what_redis_keeps_of_a_failure_runs_out_later() {
    let app = App::with(&[
        ("MILLRACE_OUTPUT__LIVE_HOURS", "2"),
        ("MILLRACE_OUTPUT__FAILED_LIVE_HOURS", "5"),
        ("MILLRACE_QUEUE__MAX_ATTEMPTS", "2"),
        ("MILLRACE_QUEUE__BACKOFF_MS", "0"),
    ])
    .await;
    let runner = app.runner().await;
    let job = app.run("exit 1").await.job;
    // The next job is the ghost's.
    runner.stop().await;
    let ghost = Ghost::start(&app).await;
    ghost.print("lost").await;
    until("the line is in the list", async || live_lines(&app, ghost.id, 1).await == 1).await;
    let_lease_run_out(&app, ghost.id).await;

    for (id, attempt) in [(job.id, 1), (job.id, 2), (ghost.id, 1)] {
        until("it is kept for longer", async || {
            let left: i64 =
                app.queue().connection().ttl(app.queue().keys().output(id, attempt)).await.unwrap();
            (4 * 3600..=5 * 3600).contains(&left)
        })
        .await;
    }
}

#[tokio::test]
async fn a_long_rest_of_a_lost_attempt_is_archived_page_by_page() {
    const REST: u64 = 10_000;
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    let id = ghost.id;
    ghost.print("one").await;
    until("the archive has it", async || chunks(&app, id, 1).await == [(1, 1)]).await;
    // As the list looks when Postgres was away for a while.
    let rest: Vec<String> = (2..=REST)
        .map(|seq| format!(r#"{{"seq":{seq},"timestamp":0,"stream":"stdout","line":"{seq}"}}"#))
        .collect();
    let _: () = app.queue().connection().rpush(app.queue().keys().output(id, 1), rest).await.unwrap();

    let_lease_run_out(&app, id).await;
    app.wait_until(id, JobState::Queued).await;

    assert_archived(&app, id, 1, usize::try_from(REST).unwrap()).await;
    assert!(chunks(&app, id, 1).await.len() > 2);
    assert_eq!(app.attempts(id).await[0].lines, Some(REST));
    assert_gapless(&app.output_of(id, 1).await, 1);
}

async fn let_lease_run_out(app: &App, id: JobId) {
    sqlx::query("UPDATE attempts SET lease_expires_at = now() - interval '1 second' WHERE job_id = $1")
        .bind(id.as_uuid())
        .execute(app.db())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_writer_whose_attempt_was_lost_writes_nothing_more() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    let id = ghost.id;
    ghost.print("before").await;
    until("the line is in the list", async || live_lines(&app, id, 1).await == 1).await;

    let_lease_run_out(&app, id).await;
    app.wait_until(id, JobState::Queued).await;
    // Every line is one too late; the writer learns of it with the first or its next look at Postgres.
    let ended = eventually("the writer gives up", async || {
        let heard = ghost.print("after").await;
        (!heard || ghost.writing.is_finished()).then_some(())
    });
    ended.await;

    assert!(matches!(ghost.writing.await.unwrap(), Err(WriteError::NotHeld)));
    assert_eq!(live_lines(&app, id, 1).await, 1);
    assert_eq!(chunks(&app, id, 1).await, [(1, 1)]);
    let lines: Vec<Line> = app.output_of(id, 1).await;
    assert_eq!(texts(&lines, Stream::Stdout), ["before"]);
    assert_eq!(app.attempts(id).await[0].lines, Some(1));
}

#[tokio::test]
async fn a_writer_of_an_old_attempt_does_not_disturb_the_next() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    let id = ghost.id;
    ghost.print("old").await;
    until("the line is in the list", async || live_lines(&app, id, 1).await == 1).await;
    let_lease_run_out(&app, id).await;

    let _runner = app.runner().await;
    app.wait_until(id, JobState::Succeeded).await;
    while ghost.print("too late").await && !ghost.writing.is_finished() {
        tokio::task::yield_now().await;
    }

    assert!(matches!(ghost.writing.await.unwrap(), Err(WriteError::NotHeld)));
    assert_eq!(texts(&app.output_of(id, 1).await, Stream::Stdout), ["old"]);
    let second = app.output_of(id, 2).await;
    assert_gapless(&second, 1);
    assert_eq!(second.len() as u64, app.attempts(id).await[1].lines.unwrap());
    assert_eq!(live_lines(&app, id, 2).await, second.len());
}

#[tokio::test]
async fn a_redis_that_forgot_the_fence_lets_the_holder_go_on_and_nobody_else() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    let id = ghost.id;
    ghost.print("one").await;
    until("the line is in the list", async || live_lines(&app, id, 1).await == 1).await;

    app.empty_redis().await;
    ghost.print("two").await;
    until("the archive has both", async || chunks(&app, id, 1).await.last().is_some_and(|last| last.1 == 2))
        .await;

    let lines = app.output_of(id, 1).await;
    assert_gapless(&lines, 1);
    assert_eq!(texts(&lines, Stream::Stdout), ["one", "two"]);
    drop(ghost.lines);
    assert_eq!(ghost.writing.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_script_cannot_print_what_its_runner_knows() {
    let app = App::start().await;
    let _runner = app.runner_with(&[("MILLRACE_GITHUB__TOKEN", "a-token-of-github")]).await;
    let id = app.submit("printf 'it is a-token-'; sleep 0.2; echo of-github; echo and more").await;
    assert_eq!(app.finished(id).await.job.state, JobState::Succeeded);
    let printed = texts(&app.output(id).await, Stream::Stdout).join("\n");
    assert!(printed.contains("it is ") && printed.contains("and more"), "{printed}");
    assert!(!printed.contains("a-token"), "{printed}");
}
