//! What GitHub waits for, and what whoever writes a comment waits for. GitHub is the fake one, on loopback.

use std::{fs, time::Duration};

use anyhow::{Context as _, ensure};
use app::model::{Job, JobFilter};
use millrace::{
    db::{self, Visible},
    lifecycle::Lifecycle,
};
use millrace_fake_github::FakeGitHub;
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use crate::{
    child::{self, monotonic, time_in},
    histogram::Histogram,
    installation::Installation,
    report::{Report, Target},
    viewer::{Events, Viewer},
};

const PER_SECOND: u64 = 200;
const DELIVERIES: u64 = 2_000;
/// Connections that GitHub delivers over.
const SENDERS: u64 = 8;
const MENTIONS: u32 = 40;
const LOOK_EVERY: Duration = Duration::from_millis(5);

const REPOSITORY: &str = "ada/orchard";
const SECRET: &str = "the bench's webhook secret";

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let github = FakeGitHub::start(None).await?;
    let world = github.world();
    world.add_user("ada");
    world.add_user("mill");
    world.add_repository(REPOSITORY);
    world.set_permission(REPOSITORY, "mill", "write");
    world.add_token("mill", "the bench's token");
    let directory = tempfile::tempdir()?;
    let configuration = directory.path().join("Leptos.toml");
    let program = std::env::current_exe()?;
    fs::write(
        &configuration,
        format!(
            "[agents.custom.bench]\ncommand = [{:?}, \"{}\", \"time\"]\n",
            program.display(),
            child::NAME
        ),
    )?;
    let settings = [
        ("MILLRACE_CONFIG", configuration.to_str().context("a path that is no text")?),
        ("MILLRACE_GITHUB__URL", &github.url()),
        ("MILLRACE_GITHUB__TOKEN", "the bench's token"),
        ("MILLRACE_GITHUB__WEBHOOK_SECRET", SECRET),
        ("MILLRACE_GITHUB__JOBS_PER_THREAD_PER_HOUR", "1000000"),
        ("MILLRACE_AGENTS__DEFAULT", "bench"),
    ];
    let installation = Installation::with(&settings).await?;
    deliveries(&installation, report).await?;
    mentions(&installation, &github, report).await
}

/// From the moment at which a delivery is due until it is answered: one that waits for its sender waits, too.
async fn deliveries(installation: &Installation, report: &mut Report) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut sending = JoinSet::new();
    for sender in 0..SENDERS {
        let mut client = installation.client().await?;
        let secret = SecretString::from(SECRET);
        sending.spawn(async move {
            let mut latencies = Vec::new();
            for number in (sender..DELIVERIES).step_by(usize::try_from(SENDERS)?) {
                let due =
                    begin + Duration::from_secs(1) * u32::try_from(number)? / u32::try_from(PER_SECOND)?;
                sleep_until(due).await;
                let id = Uuid::new_v4().to_string();
                client.deliver(&secret, "issue_comment", &id, &comment(number)).await?;
                latencies.push(due.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latency = Histogram::default();
    for sent in sending.join_all().await {
        for answered in sent? {
            latency.add(answered);
        }
    }
    let name = |what: &str| format!("delivery taken, {PER_SECOND} a second, {what}");
    report.add("github", name("p50"), latency.percentile(50), "ms", Target::Open);
    report.add("github", name("p99"), latency.percentile(99), "ms", Target::Below(20.0));
    Ok(())
}

/// A comment as GitHub tells of it, with as much around it as a real one has.
fn comment(number: u64) -> String {
    let user = json!({ "id": 4711, "login": "ada", "type": "User" });
    json!({
        "action": "created",
        "repository": { "full_name": REPOSITORY, "default_branch": "main", "description": "x".repeat(5_000) },
        "sender": user,
        "issue": { "number": number, "title": "t", "body": "b", "user": user, "comments": 0 },
        "comment": {
            "id": 1_000_000 + number,
            "body": "They should be sweet.",
            "user": user,
        },
    })
    .to_string()
}

/// From somebody's comment to the first thing that the agent does, with everything between: GitHub's delivery, what the
/// comment's author may do, the thread, the queue, the checkout and the sandbox.
async fn mentions(
    installation: &Installation,
    github: &FakeGitHub,
    report: &mut Report,
) -> anyhow::Result<()> {
    let lifecycle = installation.lifecycle(&*installation.config(1)?).await?;
    let world = github.world();
    let address = format!("http://{}/webhooks/github", installation.address);
    world.add_plain_webhook(REPOSITORY, &address, SECRET);
    let runner = installation.start_runner()?;
    let mut latency = Histogram::default();
    for round in 0..=MENTIONS {
        let issue = world.open_issue(REPOSITORY, "ada", "The apples are sour", "They should be sweet.");
        let before = latest(&lifecycle).await?.map(|job| job.id);
        let asked = monotonic();
        world.comment(REPOSITORY, issue, "ada", "@millrace Say what is in here");
        let job = loop {
            match latest(&lifecycle).await? {
                Some(job) if Some(job.id) != before => break job,
                _ => sleep(LOOK_EVERY).await,
            }
        };
        let mut started = None;
        let viewer = Viewer::open(installation, job.id, 0, Events::Batch).await?;
        viewer.watch(|line, _| started = started.or(time_in(line))).await?;
        let started = started.context("the agent printed nothing")?;
        ensure!(started >= asked, "the agent of another job has printed");
        // The first one makes the mirror.
        if round > 0 {
            latency.add(started - asked);
        }
    }
    runner.end().await?;
    report.add("github", "mention → agent started, p50", latency.percentile(50), "ms", Target::Below(300.0));
    report.add("github", "mention → agent started, p95", latency.percentile(95), "ms", Target::Open);
    Ok(())
}

async fn latest(lifecycle: &Lifecycle) -> anyhow::Result<Option<Job>> {
    let jobs = db::page(lifecycle.db(), Visible::All, &JobFilter::default(), None, 1).await?;
    Ok(jobs.into_iter().next())
}
