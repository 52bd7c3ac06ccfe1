//! What is told where a job fails, or GitHub does not take what it is told.

use app::model::JobState;
use millrace::{connection::Purpose, github::GitHubError};
use millrace_fake_github::RateLimit;

use super::{GROW, REPOSITORY, Site, name};

#[tokio::test]
async fn a_failure_says_what_happened_and_a_retry_is_told_too() {
    let site = Site::new("cat > /dev/null; exit 3").await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let asked = site.ask().await;
    site.told(asked.job).await;
    let comment = site.own_comment(asked.number);
    assert!(comment.starts_with("**Failed.**") && comment.contains("`@millrace retry`"), "{comment}");
    assert!(site.world().pulls(REPOSITORY).is_empty());

    assert_eq!(site.app.retry(asked.job).await.status(), 200);
    let detail = site.told(asked.job).await;

    assert_eq!((detail.job.attempt, detail.job.state), (2, JobState::Failed));
    assert!(site.own_comment(asked.number).starts_with("**Failed.**"));
}

#[tokio::test]
async fn a_rate_limit_is_waited_for() {
    let site = Site::new(GROW).await;
    site.world().rate_limit_next(
        &format!("/repos/{REPOSITORY}/issues/comments"),
        RateLimit::Secondary { retry_after_seconds: 2 },
    );
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let asked = site.ask().await;
    let detail = site.told(asked.job).await;
    assert!(site.own_comment(asked.number).starts_with("**Done.**"));
    assert_eq!(detail.not_told, None);
}

#[tokio::test]
async fn a_rate_limit_holds_for_all_that_the_installation_asks() {
    let site = Site::new(GROW).await;
    let connection = site.app.connection();
    let reader = connection.client(&name(), Purpose::Read).await.unwrap();
    let writer = connection.client(&name(), Purpose::Answer).await.unwrap();
    site.world().busy_next("GET", &format!("/repos/{REPOSITORY}"), 600);
    assert!(matches!(reader.default_branch(&name()).await, Err(GitHubError::RateLimited { .. })));
    let asked = site.world().requests().len();

    assert!(matches!(writer.default_branch(&name()).await, Err(GitHubError::RateLimited { .. })));

    assert_eq!(site.world().requests().len(), asked, "nobody asks before the time is over");
}

#[tokio::test]
async fn what_github_does_not_take_is_said_on_the_jobs_page() {
    let site = Site::new(GROW).await;
    site.world().fail_next("POST", &format!("/repos/{REPOSITORY}/pulls"), 403, 10);
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let asked = site.ask().await;
    let detail = site.told(asked.job).await;
    let problem = detail.not_told.unwrap();
    assert!(problem.contains("the pull request") && problem.contains("GitHub App"), "{problem}");
    assert!(site.own_comment(asked.number).starts_with("**Done.** The work is on the branch `millrace/"));
}
