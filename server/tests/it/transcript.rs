//! What an agent did, read out of its lines, and text found in them.

use app::model::{JobId, OutputMatches, Step, TranscriptPage};

use crate::harness::{App, Browser, Ghost, until};

async fn transcript(app: &App, id: JobId, after: u64) -> TranscriptPage {
    let path = format!("/api/read_transcript?id={id}&attempt=1&after={after}");
    serde_json::from_value(app.get_json(&path).await).unwrap()
}

async fn search(app: &App, id: JobId, query: &str) -> OutputMatches {
    let page = app.get_json(&format!("/api/jobs/{id}/output/search?{query}")).await;
    serde_json::from_value(page).unwrap()
}

fn seqs(found: &OutputMatches) -> Vec<u64> {
    found.matches.iter().map(|one| one.seq).collect()
}

fn message(text: &str) -> Step {
    Step::Message { text: text.to_owned(), delta: false }
}

fn call(id: usize, command: &str) -> Step {
    let input = serde_json::json!({ "command": command }).to_string();
    Step::ToolCall { call: id.to_string(), tool: "Bash".to_owned(), input }
}

fn result(id: usize, output: &str) -> Step {
    Step::ToolResult { call: id.to_string(), exit_code: Some(0), error: false, output: output.to_owned() }
}

async fn all_lines(app: &App, id: JobId, total: u64) {
    until("all lines can be read", async || {
        app.output(id).await.last().is_some_and(|line| line.seq == total)
    })
    .await;
}

#[tokio::test]
async fn a_transcript_grows_with_its_lines() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;

    ghost.act(message("I look at the **gate** first.")).await;
    ghost.act(call(1, "cargo test")).await;
    all_lines(&app, ghost.id, 2).await;
    let running = transcript(&app, ghost.id, 0).await;
    ghost.act(result(1, "3 passed")).await;
    all_lines(&app, ghost.id, 3).await;
    let ended = transcript(&app, ghost.id, 0).await;

    assert!(running.steps.contains("<strong>gate</strong>"), "{}", running.steps);
    assert!(running.steps.contains("data-last") && running.steps.contains("data-open"));
    assert!(running.standing.unwrap().contains("cargo test"));
    assert!(ended.steps.contains("3 passed"), "{}", ended.steps);
    assert!(ended.standing.unwrap().contains("Thinks"));
    assert_eq!(ended.steps.matches("<li class=\"step\"").count(), 2, "call and result are one");
}

#[tokio::test]
async fn a_result_that_comes_much_later_is_still_its_calls() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    ghost.act(call(1, "sleep 60")).await;
    for number in 2..=1_200 {
        ghost.act(message(&format!("Message {number}."))).await;
    }
    ghost.act(result(1, "slept well")).await;
    all_lines(&app, ghost.id, 1_201).await;

    let first = transcript(&app, ghost.id, 0).await;
    let second = transcript(&app, ghost.id, 200).await;
    let last = transcript(&app, ghost.id, 1_200).await;

    assert!(
        first.steps.contains("slept well")
            && first.steps.contains("Message 200.")
            && first.standing.is_none()
    );
    assert!(!first.steps.contains("Message 201.") && !first.steps.contains("data-open"));
    assert!(second.steps.contains("id=\"S201\"") && second.steps.contains("id=\"S400\""));
    assert!(!last.steps.contains("<li") && last.steps.contains("data-last"));
}

#[tokio::test]
async fn the_page_shows_steps_without_a_script_and_nothing_of_them_is_markup() {
    let app = App::start().await;
    let ghost = Ghost::start(&app).await;
    ghost.act(message("<script>alert('gate')</script> [x](javascript:alert(1))")).await;
    all_lines(&app, ghost.id, 1).await;
    let browser = Browser::signed_in(&app, "owner").await;

    let page = browser.get(&format!("/jobs/{}?view=transcript", ghost.id)).await.text().await.unwrap();

    assert!(page.contains("&lt;script&gt;alert('gate')"), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("href=\"javascript"));
}

#[tokio::test]
async fn text_is_found_in_all_of_a_long_output() {
    let app = App::start().await;
    let _runner = app.runner().await;
    // Millrace's own two lines come first.
    let id = app.run("seq -f 'Line %.0f' 30000; echo '100% \"done\"'").await.job.id;

    let first = search(&app, id, "q=LINE+299&limit=3").await;
    let next = search(&app, id, "q=line+299&limit=3&after=2993").await;
    let before = search(&app, id, "q=line+299&limit=2&before=2993").await;
    let quoted = search(&app, id, "q=100%25+%22done%22").await;
    let many = search(&app, id, "q=line").await;

    assert_eq!((seqs(&first), first.first, first.total), (vec![301, 2992, 2993], 0, 111));
    assert_eq!(first.matches[0].excerpt, "Line 299");
    assert_eq!((seqs(&next), next.first), (vec![2994, 2995, 2996], 3));
    assert_eq!((seqs(&before), before.first), (vec![301, 2992], 0));
    assert_eq!(seqs(&quoted), [30_003]);
    assert_eq!(many.matches.len(), 100);
    assert!(many.total >= 10_000 && many.searched_to.is_some(), "it is not looked for without end");
    assert_eq!(search(&app, id, "q=%5EL.ne").await, OutputMatches::default(), "text is no pattern");
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused() {
    let app = App::start().await;
    let id = app.submit("true").await;

    for query in ["", "q=", "q=x&after=1&before=2", &format!("q={}", "x".repeat(1001))] {
        let response = app.get(&format!("/api/jobs/{id}/output/search?{query}")).await;
        assert_eq!(response.status(), 422, "{query}");
    }
}
