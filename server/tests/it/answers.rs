//! What GitHub is told of jobs, and how their work gets there: with a GitHub that has real git behind it.

use std::process::Command;

use app::model::{AgentOutcome, JobDetail, JobId, JobState, Stream};
use millrace::{
    connection::Purpose,
    db::{
        answers::{self, Asked, AskedIn, NewAnswer},
        github_app::{self, AppRow},
    },
    github::{GitHubError, RepositoryName},
    seal::Seal,
};
use millrace_fake_github::{APP_PRIVATE_KEY, App as GitHubApp, Comment, FakeGitHub, RateLimit, World};
use serde_json::{Value, json};

use crate::harness::{App, texts, until};

const REPOSITORY: &str = "ada/orchard";
/// An agent that appends a line, and says so.
const GROW: &str = "cat > /dev/null; date +%N >> trees.txt; echo planted a tree";

/// Millrace, connected as a GitHub App that is installed for one repository.
struct Site {
    github: FakeGitHub,
    app: App,
}

/// Somebody's request in an issue or pull request.
struct Request {
    number: u64,
    comment: u64,
    job: JobId,
}

impl Site {
    /// With an agent `mine` that is a shell script.
    async fn new(script: &str) -> Self {
        let github = FakeGitHub::start(None).await.unwrap();
        let world = github.world();
        world.add_user("ada");
        world.add_repository(REPOSITORY);
        let made = GitHubApp { permissions: writing(), ..GitHubApp::default() };
        let (slug, name, client_id) = (made.slug.clone(), made.name.clone(), made.client_id.clone());
        let app_id = i64::try_from(world.add_app(made)).unwrap();
        world.install_app(&slug, &[REPOSITORY]);
        let url: url::Url = github.url().parse().unwrap();
        let given = url.clone();
        let app = App::with_agent(script, move |config| config.github.url = given.clone()).await;
        let secrets = json!({ "private_key": APP_PRIVATE_KEY, "webhook_secret": "a secret", "client_secret": "another" });
        let seal = Seal::open(&app.config.server).unwrap();
        let row = AppRow {
            url: url.as_str().trim_end_matches('/').to_owned(),
            app_id,
            html_url: format!("{}/apps/{slug}", github.url()),
            slug,
            name,
            client_id,
            sealed: seal.seal(&format!("github_app/{app_id}"), &secrets.to_string().into()).unwrap(),
        };
        assert!(github_app::insert(app.db(), &row).await.unwrap());
        Self { github, app }
    }

    fn world(&self) -> &World {
        self.github.world()
    }

    /// A job as somebody asks for it on the dashboard.
    async fn submit(&self, fields: Value) -> JobId {
        let address = format!("{}/{REPOSITORY}.git", self.github.url());
        let mut new =
            json!({ "kind": "agent", "agent": "mine", "prompt": "Plant a tree", "max_attempts": 1 });
        if fields.get("parent").is_none() {
            new["repository"] = json!(address);
        }
        new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = self.app.post_json("/api/jobs", &new).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        let job: Value = answer.json().await.unwrap();
        serde_json::from_value(job["id"].clone()).unwrap()
    }

    /// A job that somebody asked for in a comment.
    async fn ask(&self) -> Request {
        let number = self.world().open_issue(REPOSITORY, "ada", "No trees", "There are none.");
        self.ask_in(number, json!({}), None).await
    }

    async fn ask_in(&self, number: u64, fields: Value, head_sha: Option<String>) -> Request {
        let comment = self.world().comment(REPOSITORY, number, "ada", "@millrace plant a tree");
        let job = self.submit(fields).await;
        let new = NewAnswer {
            job,
            repository: &name(),
            number: Some(signed(number)),
            asked: Some(Asked { place: AskedIn::Comment, id: signed(comment) }),
            head_sha,
            base: None,
        };
        answers::open(self.app.db(), &new).await.unwrap();
        let queue = self.app.queue();
        queue.ring(&queue.keys().github_bell(), b"").await.unwrap();
        Request { number, comment, job }
    }

    /// Waits until GitHub knows how a job ended.
    async fn told(&self, job: JobId) -> JobDetail {
        self.app.finished(job).await;
        until("GitHub was told", async || {
            let open: bool = sqlx::query_scalar(
                "SELECT is_done AND told >= revision FROM github_answers JOIN jobs ON id = job_id WHERE job_id = $1",
            )
            .bind(job.as_uuid())
            .fetch_one(self.app.db())
            .await
            .unwrap();
            open
        })
        .await;
        self.app.job(job).await
    }

    /// Millrace's comments in a thread.
    fn own_comments(&self, number: u64) -> Vec<Comment> {
        let comments = self.world().comments(REPOSITORY, number);
        comments.into_iter().filter(|comment| comment.body.contains("<!-- millrace:job=")).collect()
    }

    #[track_caller]
    fn own_comment(&self, number: u64) -> String {
        let [comment] = &self.own_comments(number)[..] else { panic!("{:?}", self.own_comments(number)) };
        comment.body.clone()
    }

    /// One check run of this commit says that the job has gone well.
    #[track_caller]
    fn checked_once(&self, job: JobId, commit: &str) {
        let checks = self.world().checks(REPOSITORY, commit);
        let [check] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!(
            (check.external_id.as_str(), check.conclusion.as_deref()),
            (&*job.to_string(), Some("success"))
        );
    }

    /// How often GitHub was asked this.
    fn count(&self, method: &str, end: &str) -> usize {
        let requests = self.world().requests();
        requests.iter().filter(|request| request.method == method && request.path.ends_with(end)).count()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let bare = self.world().bare(REPOSITORY);
        let output = Command::new("git").arg("--git-dir").arg(bare).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }
}

fn writing() -> std::collections::BTreeMap<String, String> {
    let write = ["contents", "issues", "pull_requests", "checks"].map(|name| (name, "write"));
    write.into_iter().chain([("metadata", "read")]).map(|(name, level)| (name.into(), level.into())).collect()
}

fn name() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

#[tokio::test]
async fn a_comment_becomes_a_pull_request_and_one_comment() {
    let site = Site::new(GROW).await;
    let _answers = site.app.answers();
    let asked = site.ask().await;
    until("the job is announced", async || !site.own_comments(asked.number).is_empty()).await;
    assert_eq!(site.world().reactions(REPOSITORY, asked.comment).len(), 1, "before anything is said");
    assert!(
        site.own_comment(asked.number).starts_with("**Waiting.** No runner"),
        "{}",
        site.own_comment(asked.number)
    );
    let _runner = site.app.runner().await;

    let detail = site.told(asked.job).await;

    let [pull] = &site.world().pulls(REPOSITORY)[..] else { panic!("one pull request") };
    let agent = detail.attempts.last().unwrap().agent.clone().unwrap();
    let branch = detail.job.branch.clone().unwrap();
    let head = agent.head.unwrap();
    assert_eq!(site.git(&["rev-parse", &branch]), head);
    site.checked_once(asked.job, &head);
    assert_eq!(site.git(&["diff", "--name-only", &format!("main..{branch}")]), "trees.txt");
    assert_eq!(pull.title, "Plant a tree");
    assert!(pull.body.contains(&format!("\n\nCloses #{}\n", asked.number)), "{}", pull.body);
    let address = detail.job.pull_request.unwrap();
    assert!(address.ends_with(&format!("/{REPOSITORY}/pull/{}", pull.number)), "{address}");
    let comment = site.own_comment(asked.number);
    assert!(comment.starts_with(&format!("**Done.** The work is in #{} as ", pull.number)), "{comment}");
    assert!(comment.contains("1 file changed, +1 −0") && comment.contains("/jobs/"), "{comment}");
    assert_eq!(site.count("POST", &format!("/issues/{}/comments", asked.number)), 1);
}

#[tokio::test]
async fn a_pull_request_has_a_check_run_at_its_head() {
    let site = Site::new("cat > /dev/null; echo nothing to do").await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let head = site.world().branch(REPOSITORY, "more-trees").unwrap();

    let asked = site.ask_in(number, json!({}), Some(head.clone())).await;
    let detail = site.told(asked.job).await;

    let [check] = &site.world().checks(REPOSITORY, &head)[..] else { panic!("one check run") };
    assert_eq!((check.status.as_str(), check.conclusion.as_deref()), ("completed", Some("neutral")));
    assert_eq!(check.external_id, asked.job.to_string());
    assert_eq!(detail.job.outcome, Some(AgentOutcome::NoChange));
    let comment = site.own_comment(number);
    assert!(comment.starts_with("**Nothing to change.**") && comment.contains("`@millrace …`"), "{comment}");
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1, "its own");
}

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
async fn a_follow_up_adds_a_commit_to_the_same_pull_request() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let first = site.ask().await;
    let branch = site.told(first.job).await.job.branch.unwrap();
    let pull = site.world().pulls(REPOSITORY).remove(0).number;

    let second = site.ask_in(pull, json!({ "parent": first.job }), None).await;
    let detail = site.told(second.job).await;

    assert_eq!(detail.job.branch.as_deref(), Some(branch.as_str()));
    assert_eq!(site.git(&["rev-list", "--count", &format!("main..{branch}")]), "2");
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(pull).starts_with("**Done.** The work is on this pull request's branch as "));
}

#[tokio::test]
async fn the_work_for_a_pull_request_is_pushed_to_its_branch() {
    let site = Site::new(GROW).await;
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let before = site.world().branch(REPOSITORY, "more-trees").unwrap();
    let asked = site.ask_in(number, json!({}), Some(before.clone())).await;
    sqlx::query("UPDATE jobs SET branch = 'more-trees' WHERE id = $1")
        .bind(asked.job.as_uuid())
        .execute(site.app.db())
        .await
        .unwrap();
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let detail = site.told(asked.job).await;

    let after = site.world().branch(REPOSITORY, "more-trees").unwrap();
    assert_eq!(site.git(&["rev-parse", &format!("{after}^")]), before, "a commit on top");
    assert_eq!(detail.job.branch.as_deref(), Some("more-trees"));
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(number).starts_with("**Done.** The work is on this pull request's branch"));
    site.checked_once(asked.job, &after);
    let at_the_head_before = site.world().checks(REPOSITORY, &before);
    assert!(at_the_head_before.iter().all(|check| check.status == "completed"), "{at_the_head_before:?}");
}

#[tokio::test]
async fn a_job_of_the_dashboard_gets_a_pull_request_too() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let job = site.submit(json!({})).await;
    let detail = site.told(job).await;

    let [pull] = &site.world().pulls(REPOSITORY)[..] else { panic!("one pull request") };
    assert!(!pull.body.contains("Closes"), "{}", pull.body);
    assert!(detail.job.pull_request.is_some());
}

#[tokio::test]
async fn a_second_attempt_takes_over_the_branch_of_the_first() {
    let site = Site::new(GROW).await;
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    let job = site.submit(json!({})).await;
    let first = site.told(job).await.job.branch.unwrap();
    let before = site.git(&["rev-parse", &first]);
    // As if the runner had died between push and record.
    sqlx::query("UPDATE jobs SET branch = NULL WHERE id = $1")
        .bind(job.as_uuid())
        .execute(site.app.db())
        .await
        .unwrap();

    assert_eq!(site.app.retry(job).await.status(), 200);
    let detail = site.told(job).await;

    assert_eq!(detail.job.branch.as_deref(), Some(first.as_str()));
    assert_ne!(site.git(&["rev-parse", &first]), before);
    assert_eq!(site.git(&["branch", "--list", "millrace/*"]).lines().count(), 1);
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_an_answer_is_cut_off() {
    let site = Site::new(GROW).await;
    let number = site.world().open_pull(REPOSITORY, "ada", "More trees", "", "more-trees", "main");
    let head = site.world().branch(REPOSITORY, "more-trees").unwrap();
    for end in [&format!("issues/{number}/comments"), "check-runs", "pulls"] {
        site.world().drop_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
    }
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);

    let asked = site.ask_in(number, json!({}), Some(head.clone())).await;
    site.told(asked.job).await;

    assert!(site.own_comment(number).starts_with("**Done.**"));
    assert!(site.world().checks(REPOSITORY, &head).len() <= 1);
    assert_eq!(site.world().pulls(REPOSITORY).len(), 2, "the one that was there, and one for the work");
    let work = site.world().pulls(REPOSITORY).into_iter().find(|pull| pull.number != number).unwrap();
    let after = site.world().branch(REPOSITORY, &work.pull.head_branch).unwrap();
    assert_eq!(site.world().checks(REPOSITORY, &after).len(), 1);
    assert_eq!(site.count("POST", "/pulls"), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_a_server_is_killed() {
    let site = Site::new(GROW).await;
    let _runner = site.app.runner().await;
    let asked = site.ask().await;
    site.app.finished(asked.job).await;
    for end in ["pulls".to_owned(), format!("issues/{}/comments", asked.number)] {
        site.world().drop_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
        let answers = site.app.answers();
        until("it was posted", async || site.count("POST", &end) == 1).await;
        answers.abort();
        let _ = answers.await;
        // The lease is over.
        sqlx::query("UPDATE github_answers SET due_at = now()").execute(site.app.db()).await.unwrap();
    }

    let _answers = site.app.answers();
    site.told(asked.job).await;

    assert!(site.own_comment(asked.number).starts_with("**Done.**"));
    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
}

#[tokio::test]
async fn nothing_is_said_twice_where_the_process_is_killed_before_it_knows_what_was_done() {
    let site = Site::new(GROW).await;
    let _runner = site.app.runner().await;
    let asked = site.ask().await;
    let detail = site.app.finished(asked.job).await;
    let head = detail.attempts.last().unwrap().agent.clone().unwrap().head.unwrap();
    let url = site.github.url();
    let settings = [("MILLRACE_GITHUB__URL", url.as_str())];
    let comments = format!("issues/{}/comments", asked.number);
    for end in ["pulls", &comments, "check-runs"] {
        site.world().hold_answer_next("POST", &format!("/repos/{REPOSITORY}/{end}"));
        let port = site.app.free_port().await;
        let (mut server, _) = site.app.server_process_with(port, &settings).await;
        until("it was done", async || match end {
            "pulls" => site.world().pulls(REPOSITORY).len() == 1,
            "check-runs" => site.world().checks(REPOSITORY, &head).len() == 1,
            _ => site.own_comments(asked.number).len() == 1,
        })
        .await;
        server.kill();
        // The lease is over.
        sqlx::query("UPDATE github_answers SET due_at = now()").execute(site.app.db()).await.unwrap();
    }

    let port = site.app.free_port().await;
    let (_server, _) = site.app.server_process_with(port, &settings).await;
    site.told(asked.job).await;

    assert_eq!(site.world().pulls(REPOSITORY).len(), 1);
    assert!(site.own_comment(asked.number).starts_with("**Done.** The work is in #"));
    site.checked_once(asked.job, &head);
    for end in ["/pulls", &format!("/{comments}"), "/check-runs"] {
        assert_eq!(site.count("POST", end), 1, "{end}");
    }
}

#[tokio::test]
async fn a_marker_that_somebody_else_wrote_stands_for_nothing() {
    let site = Site::new(GROW).await;
    let asked = site.ask().await;
    let marker = format!("<!-- millrace:job={} -->", asked.job);
    site.world().comment(REPOSITORY, asked.number, "ada", &marker);
    // The second try looks whether the first one has said it.
    site.world().fail_next("POST", &format!("/repos/{REPOSITORY}/issues/{}/comments", asked.number), 502, 1);
    let (_answers, _runner) = (site.app.answers(), site.app.runner().await);
    site.told(asked.job).await;

    let [forged, said] = &site.own_comments(asked.number)[..] else { panic!("an answer of Millrace's own") };
    assert_eq!((forged.author.as_str(), forged.edits), ("ada", 0));
    assert!(said.author.ends_with("[bot]") && said.body.starts_with("**Done.**"), "{said:?}");
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
async fn a_job_says_where_it_was_asked_for() {
    let site = Site::new(GROW).await;
    let on_issue = site.ask().await;
    let number = site.world().open_issue(REPOSITORY, "ada", "More trees", "There are few.");
    let on_pull = site.ask_in(number, json!({}), Some("0".repeat(40))).await;
    let elsewhere = site.submit(json!({})).await;

    for (request, kind) in [(on_issue, "issues"), (on_pull, "pull")] {
        let Request { number, comment, job } = request;
        let address = format!("{}/{REPOSITORY}/{kind}/{number}#issuecomment-{comment}", site.github.url());
        assert_eq!(site.app.job(job).await.asked_in, Some(address));
    }
    assert_eq!(site.app.job(elsewhere).await.asked_in, None);
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
