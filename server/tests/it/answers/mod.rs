//! What GitHub is told of jobs, and how their work gets there: with a GitHub that has real git behind it.

mod once;
mod secrets;
mod trouble;
mod work;

use std::process::Command;

use app::model::{JobDetail, JobId};
use millrace::{
    db::{
        answers::{self, Asked, AskedIn, NewAnswer},
        github_app::{self, AppRow},
    },
    github::RepositoryName,
    seal::Seal,
};
use millrace_fake_github::{APP_PRIVATE_KEY, App as GitHubApp, Comment, FakeGitHub, World};
use serde_json::{Value, json};

use crate::harness::{App, until};

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
            fork: None,
        };
        answers::open(self.app.db(), &new).await.unwrap();
        let queue = self.app.queue();
        queue.ring(&queue.keys().answers_bell(), b"").await.unwrap();
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
