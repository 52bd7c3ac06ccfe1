//! Agents: which there are, and letting one go on.

use leptos::{prelude::*, server};

use crate::model::{AgentStatus, ApiError};

/// Those that a job can name, the one for jobs that name none first.
#[server(input = server_fn::codec::GetUrl)]
pub async fn agents() -> Result<Vec<AgentStatus>, ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    backend.agents(&person).await
}

/// Lets the jobs of an agent go on whose quota was used up.
#[server]
pub async fn resume_agent(agent: String) -> Result<(), ApiError> {
    let (backend, person) = crate::backend::caller().await?;
    let done = backend.resume_agent(&person, &agent).await;
    crate::backend::answer_form::<ResumeAgent, _>(&done, "/lanes");
    done
}
