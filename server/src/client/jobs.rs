//! `millrace ls`, `show`, `cancel`, `retry` and `delete`.

use std::io::Write as _;

use anyhow::ensure;
use app::model::{Job, JobFilter, JobPage};
use chrono::Utc;

use super::{Api, Format, text};

/// The most jobs that the server puts on one page.
const PAGE: u32 = 200;

/// Prints the newest jobs that fit the filter, as many as its limit says.
pub async fn list(api: &Api, mut filter: JobFilter, format: Format) -> anyhow::Result<()> {
    let wanted = filter.limit.unwrap_or(50);
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let missing = wanted.saturating_sub(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        filter.limit = Some(missing.min(PAGE));
        let page: JobPage = api.get("/api/jobs", &filter).await?;
        jobs.extend(page.jobs);
        filter.cursor = page.next;
        if filter.cursor.is_none() || jobs.len() >= wanted as usize {
            break;
        }
    }
    match format {
        Format::Text => anstream::stdout().write_all(text::table(&jobs, Utc::now()).as_bytes())?,
        Format::Json => writeln!(std::io::stdout(), "{}", serde_json::to_string(&jobs)?)?,
    }
    Ok(())
}

pub async fn show(api: &Api, id: &str, format: Format) -> anyhow::Result<()> {
    let detail = api.job(id).await?;
    match format {
        Format::Text => {
            let text = text::detail(&detail, &api.page(detail.job.id), Utc::now());
            anstream::stdout().write_all(text.as_bytes())?;
        }
        Format::Json => writeln!(std::io::stdout(), "{}", serde_json::to_string(&detail)?)?,
    }
    Ok(())
}

/// What can be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Retry,
    Delete,
}

/// Does it with each of the jobs, and fails in the end where one of them refused.
pub async fn change(api: &Api, ids: &[String], command: Command, format: Format) -> anyhow::Result<()> {
    let mut refused = 0;
    for id in ids {
        let job = match change_one(api, id, command).await {
            Ok(job) => job,
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => {
                refused += 1;
                eprintln!("{id}: {error:#}");
                continue;
            }
        };
        let mut out = std::io::stdout().lock();
        match format {
            Format::Text => writeln!(out, "{}", told(command, &job))?,
            Format::Json => writeln!(out, "{}", serde_json::to_string(&job)?)?,
        }
    }
    ensure!(refused == 0, "{refused} of {} jobs stayed as they were", ids.len());
    Ok(())
}

async fn change_one(api: &Api, id: &str, command: Command) -> anyhow::Result<Job> {
    let job = api.job(id).await?.job;
    let path = format!("/api/jobs/{}", job.id);
    Ok(match command {
        Command::Cancel => api.post(&format!("{path}/cancel"), &()).await?,
        Command::Retry => api.post(&format!("{path}/retry"), &()).await?,
        Command::Delete => {
            api.delete(&path).await?;
            job
        }
    })
}

fn told(command: Command, job: &Job) -> String {
    let id = job.id.short();
    match command {
        Command::Cancel if job.state.is_finished() => format!("Job {id} is canceled."),
        Command::Cancel => format!("Job {id} was asked to stop."),
        Command::Retry => format!("Job {id} is {} again.", job.state),
        Command::Delete => format!("Job {id} is deleted."),
    }
}
