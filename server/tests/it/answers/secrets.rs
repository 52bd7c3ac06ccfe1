//! What GitHub and the agent never see.

use std::process::Command;

use app::model::{AgentOutcome, JobState, Stream};
use serde_json::json;

use super::{GROW, REPOSITORY, Site};
use crate::harness::texts;

#[tokio::test]
async fn a_secret_is_named_and_goes_nowhere() {
    // Put together here, so that no reader of this file takes it for one.
    let site = Site::new(r#"printf 'key = "%s%s"\n' AKIA Q3EGRNXM7T2VJ4WZ > settings.toml"#).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let asked = site.ask().await;
    site.told(asked.job).await;

    let comment = site.own_comment(asked.number);
    assert!(comment.contains("settings.toml") && !comment.contains("Q3EGRNXM7T2VJ4WZ"), "{comment}");
    assert_eq!(site.git(&["branch", "--list", "millrace/*"]), "");
}

#[tokio::test]
async fn a_private_repository_is_fetched_and_nobody_sees_the_token() {
    let script =
        "cat > /dev/null; env; cat .git/config; cat .git/objects/info/alternates; echo tree > trees.txt";
    let site = Site::new(script).await;
    site.world().make_private(REPOSITORY);
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let job = site.submit(json!({})).await;
    let detail = site.told(job).await;

    assert_eq!(detail.job.outcome, Some(AgentOutcome::Changed), "{detail:?}");
    let lines = site.app.output(job).await;
    assert!(texts(&lines, Stream::Stdout).iter().any(|line| line.contains("remote \"origin\"")), "{lines:?}");
    let printed = format!("{lines:?}");
    let mirrors = site.app.config.server.data_dir.join("mirrors");
    let found = Command::new("grep")
        .args(["-rlE", "ghs_|extraHeader|x-access-token"])
        .arg(&mirrors)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    for secret in ["ghs_", "x-access-token", "extraHeader", "GIT_CONFIG_VALUE"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[tokio::test]
async fn a_commit_that_only_a_fork_has_is_nothing_to_work_on_with_a_token() {
    let site = Site::new(GROW).await;
    let _runner = site.app.runner().await;
    let pull = site.world().open_fork_pull(REPOSITORY, "eve", "More trees", "", "more-trees", "main");
    let stray = site.world().pulls(REPOSITORY)[0].pull.head_sha.clone();
    // By the name that tells whose it is; the mirror has its objects from then on.
    let job = site.submit(json!({ "ref": format!("refs/pull/{pull}/head") })).await;
    assert_eq!(site.app.finished(job).await.job.outcome, Some(AgentOutcome::Changed));
    assert_eq!(site.git(&["branch", "--list", "millrace/*"]), "");

    for name in [stray.as_str(), &stray[..12], "millrace/wanted"] {
        let job = site.submit(json!({ "ref": name })).await;
        let ended = site.app.finished(job).await.job;
        assert_eq!(ended.state, JobState::Failed, "{name}");
        assert!(ended.error.as_ref().unwrap().contains("is on no branch"), "{name}: {ended:?}");
    }

    let job = site.submit(json!({ "ref": site.git(&["rev-parse", "main"]) })).await;
    assert_eq!(site.app.finished(job).await.job.outcome, Some(AgentOutcome::Changed));
    assert_eq!(site.git(&["branch", "--list", "millrace/*"]).lines().count(), 1);
}
