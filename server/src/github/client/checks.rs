//! Check runs. Only a GitHub App may make them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Client, GitHubError};
use crate::github::RepositoryName;

/// The name of Millrace's own.
const NAME: &str = "Millrace";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    Success,
    Neutral,
    Failure,
    Cancelled,
}

/// How a check run stands.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRun<'a> {
    /// `queued`, `in_progress` or `completed`.
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion>,
    pub details_url: &'a str,
    pub output: CheckOutput<'a>,
}

#[derive(Clone, Debug, Serialize)]
pub struct CheckOutput<'a> {
    pub title: &'a str,
    /// Markdown.
    pub summary: &'a str,
}

#[derive(Deserialize)]
struct Found {
    id: i64,
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct List {
    check_runs: Vec<Found>,
}

impl<'a> CheckRun<'a> {
    pub fn new(
        status: &'static str,
        conclusion: Option<Conclusion>,
        details_url: &'a str,
        title: &'a str,
        summary: &'a str,
    ) -> Self {
        Self { status, conclusion, details_url, output: CheckOutput { title, summary } }
    }
}

impl Client {
    /// Millrace's check run of a commit that was made with this name of its own.
    pub async fn find_check_run(
        &self,
        repository: &RepositoryName,
        commit: &str,
        external_id: &str,
    ) -> Result<Option<i64>, GitHubError> {
        let path = format!(
            "/repos/{repository}/commits/{commit}/check-runs?check_name={NAME}&filter=all&per_page=100"
        );
        let list: List = self.get(&path).await?;
        let found = list.check_runs.into_iter().find(|run| run.external_id.as_deref() == Some(external_id));
        Ok(found.map(|run| run.id))
    }

    pub async fn make_check_run(
        &self,
        repository: &RepositoryName,
        commit: &str,
        external_id: &str,
        run: &CheckRun<'_>,
    ) -> Result<i64, GitHubError> {
        let mut body = json!(run);
        body["name"] = json!(NAME);
        body["head_sha"] = json!(commit);
        body["external_id"] = json!(external_id);
        let made: Found = self.post(&format!("/repos/{repository}/check-runs"), &body).await?;
        Ok(made.id)
    }

    pub async fn change_check_run(
        &self,
        repository: &RepositoryName,
        id: i64,
        run: &CheckRun<'_>,
    ) -> Result<(), GitHubError> {
        self.patch::<Value>(&format!("/repos/{repository}/check-runs/{id}"), run).await.map(drop)
    }
}
