//! `millrace submit`: asks for a job, and waits for it if wanted.

use std::{io::Write as _, process::ExitCode};

use app::model::{Job, JobDetail, NewJob};

use super::{
    Api, Format,
    logs::{Follower, Lines},
};

/// What to do once the job is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Leave,
    /// Print what it prints, and end as it ends.
    Wait,
}

pub async fn submit(api: &Api, new: NewJob, after: After, format: Format) -> anyhow::Result<ExitCode> {
    let parent = match &new.parent {
        // The server takes whole ids here, and people copy eight digits.
        Some(id) => Some(api.get::<JobDetail>(&format!("/api/jobs/{id}"), &()).await?.job.id.to_string()),
        None => None,
    };
    let job: Job = api.post("/api/jobs", &NewJob { parent, ..new }).await?;
    match after {
        After::Leave => {
            print(&job, &job.id.to_string(), format)?;
            eprintln!("{}", api.page(job.id));
            Ok(ExitCode::SUCCESS)
        }
        After::Wait => {
            eprintln!("{}", api.page(job.id));
            let lines = match format {
                Format::Text => Lines::text(),
                Format::Json => Lines::nowhere(),
            };
            Follower::new(api, job.id, None, lines).follow().await?;
            let detail: JobDetail = api.get(&format!("/api/jobs/{}", job.id), &()).await?;
            if format == Format::Json {
                print(&detail, "", format)?;
            }
            Ok(exit_code(&detail.job))
        }
    }
}

fn print(answer: &impl serde::Serialize, text: &str, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Text => writeln!(out, "{text}")?,
        Format::Json => writeln!(out, "{}", serde_json::to_string(answer)?)?,
    }
    Ok(())
}

/// The job's own exit code; 1 for one that did not succeed without having one.
fn exit_code(job: &Job) -> ExitCode {
    match job.exit_code {
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None if job.state == app::model::JobState::Succeeded => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}
