//! Which agents the runners have, and how to get those that they lack.

use leptos::{either::Either, prelude::*};

use crate::{components::copy::snippet, model::AgentStatus};

pub fn agents(agents: &[AgentStatus]) -> impl IntoView + use<> {
    let list = if agents.is_empty() {
        Either::Left(view! {
            <p class="panel-empty">
                "No runner that takes agents' jobs is connected. Start one: " <code>"millrace run"</code>
            </p>
        })
    } else {
        let rows = agents.iter().map(row).collect_view();
        Either::Right(view! { <ul class="panel-rows">{rows}</ul> })
    };
    view! {
        <section class="panel" aria-labelledby="agents-title">
            <header class="panel-head">
                <h2 id="agents-title">"Agents"</h2>
                <span class="panel-note">"What the runners have"</span>
            </header>
            {list}
        </section>
    }
}

fn row(agent: &AgentStatus) -> impl IntoView + use<> {
    let install = agent.install.clone().filter(|_| !agent.installed);
    let (state, word) = if agent.is_ready() { ("succeeded", "Ready") } else { ("canceled", "Not ready") };
    view! {
        <li class="setting" data-agent=agent.name.clone()>
            <div class="min-w-0 grow">
                <p class="truncate">
                    <strong>{agent.title.clone()}</strong> " " <code class="cron">{agent.name.clone()}</code>
                </p>
                <p class="hint">{found(agent)}</p>
                {install.map(|command| snippet(format!("install-{}", agent.name), command))}
            </div>
            <span class="state" data-state=state>{word}</span>
        </li>
    }
}

/// What there is, and what is missing.
fn found(agent: &AgentStatus) -> String {
    let version = agent.version.as_deref().unwrap_or("Installed");
    let wanted = agent.wanted_credentials.join(", ");
    match agent.credentials.as_slice() {
        _ if !agent.installed => "Not installed. On the runner's machine:".to_owned(),
        [] if wanted.is_empty() => version.to_owned(),
        [] => format!("{version}. It has no key: set one of {wanted} where the runner is started."),
        set => format!("{version}. {} is set.", set.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let ready = AgentStatus {
            name: "codex".to_owned(),
            title: "Codex".to_owned(),
            installed: true,
            version: Some("codex 1.2".to_owned()),
            install: Some("npm install --global codex".to_owned()),
            wanted_credentials: vec!["OPENAI_API_KEY".to_owned()],
            credentials: vec!["OPENAI_API_KEY".to_owned()],
            resumes: true,
        };
        assert_eq!(found(&ready), "codex 1.2. OPENAI_API_KEY is set.");
        let keyless = AgentStatus { credentials: Vec::new(), ..ready.clone() };
        assert!(found(&keyless).contains("set one of OPENAI_API_KEY"));
        assert!(found(&AgentStatus { installed: false, ..ready }).starts_with("Not installed"));
    }
}
