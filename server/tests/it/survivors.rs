//! What a script has started ends with its attempt, and with its runner however that ends, wherever it has gone.

use app::model::{JobId, JobState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{App, children_with, is_alive, until};

/// Runs until it is ended, and says its own id.
const STAYS: &str = "sh -c 'echo pid $$; while true; do sleep 0.1; done'";

/// The ids that were printed, once there are so many.
async fn pids(app: &App, id: JobId, count: usize) -> Vec<u32> {
    let mut pids = Vec::new();
    until("all processes have said who they are", async || {
        let lines = app.output(id).await;
        pids = lines.iter().filter_map(|line| line.line.strip_prefix("pid ")?.parse().ok()).collect();
        pids.len() == count
    })
    .await;
    pids
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn an_attempt_that_ends_leaves_nothing_but_what_was_told_to_stay() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let gate = app.gate("end");
    let script = format!("setsid {STAYS} &\nenv -u MILLRACE_COOKIE setsid {STAYS} &\n{}", gate.wait());
    let id = app.submit(&script).await;
    // Whoever comes first: the one that carries the cookie is the one that ends.
    let pids = pids(&app, id, 2).await;
    let (carries, stays): (Vec<u32>, Vec<u32>) = pids.into_iter().partition(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        String::from_utf8_lossy(&environment).contains("MILLRACE_COOKIE=")
    });

    gate.open();
    app.wait_until(id, JobState::Succeeded).await;

    assert!(!is_alive(carries[0]));
    assert!(is_alive(stays[0]));
    signal(stays[0], Signal::KILL);
}

#[tokio::test]
async fn an_agent_without_a_sandbox_leaves_nothing_either() {
    let script = format!("setsid {STAYS} &\nsleep 0.3");
    let app =
        App::with_agent(&script, |config| config.sandbox.mode = millrace::config::SandboxMode::Off).await;
    let _runner = app.runner().await;
    let new = json!({ "kind": "agent", "agent": "mine", "prompt": "x", "repository": app.repo.address() });
    let job: app::model::Job = app.post_json("/api/jobs", &new).await.json().await.unwrap();

    app.wait_until(job.id, JobState::Succeeded).await;

    assert!(!is_alive(pids(&app, job.id, 1).await[0]));
}

#[tokio::test]
async fn a_runner_that_is_killed_takes_everything_with_it_and_no_other_runners_processes() {
    let app = App::start().await;
    let one_slot = [("MILLRACE_RUNNER__SLOTS", "1")];
    let mut first = app.runner_process(&one_slot);
    let script = format!("sh -c \"{} & wait\" &\nsetsid {STAYS} &\n{STAYS}", STAYS.replace('$', "\\$"));
    let id = app.submit(&script).await;
    let ends = pids(&app, id, 3).await;
    let _second = app.runner_process(&one_slot);
    let other = app.submit(&format!("setsid {STAYS}")).await;
    let stays = pids(&app, other, 1).await;
    // Whoever stops a runner may ask all of its processes to end.
    let guardians = children_with(first.id(), "guard");
    assert_eq!(guardians.len(), 1);
    for asked in [Signal::TERM, Signal::INT, Signal::HUP] {
        signal(guardians[0], asked);
    }

    first.kill();

    for pid in ends {
        until("its processes are gone", async || !is_alive(pid)).await;
    }
    until("so is its guardian", async || !is_alive(guardians[0])).await;
    assert!(is_alive(stays[0]));
}
