//! The form that asks for a job.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::field::{Label, choice_field, field};
use crate::{
    api::CreateJob,
    components::{Shape, icon, time::form_time},
    model::{AgentStatus, ApiError, Kind, NewJob, Priority, Timestamp},
};

/// How many attempts a form can ask for.
const MOST_ATTEMPTS: u32 = 20;

/// `draft` fills the form, `repositories` and `agents` are offered, and `refusal` is why the draft was refused.
#[component]
pub fn NewJobForm(
    draft: NewJob,
    repositories: Vec<String>,
    agents: Vec<AgentStatus>,
    refusal: Option<ApiError>,
) -> impl IntoView {
    let refusal = refusal.as_ref();
    let priority = draft.priority.as_deref().and_then(|word| word.parse().ok()).unwrap_or(Priority::Normal);
    let repository =
        Label::new("repository", "Repository", "An https or ssh address, or a path on the server.");
    let git_ref = Label::new("ref", "Branch, tag or commit", "Empty for the default branch.");
    let kind = draft.kind.parse().unwrap_or(if agents.is_empty() { Kind::Command } else { Kind::Agent });
    view! {
        <form class="form" method="post" action=CreateJob::url() data-live="">
            <input type="hidden" name="job[parent]" value=draft.parent />
            {choice_field(Label::new("kind", "What runs", ""), refusal, kind_choices(kind))}
            {field(repository, refusal, view! {
                <input
                    id="repository"
                    name="job[repository]"
                    value=draft.repository
                    list="repositories"
                    placeholder="https://github.com/owner/name"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    required
                />
            })}
            <datalist id="repositories">
                {repositories.into_iter().map(|repository| view! { <option value=repository></option> }).collect_view()}
            </datalist>
            {field(git_ref, refusal, view! {
                <input
                    id="ref"
                    name="job[ref]"
                    value=draft.git_ref
                    placeholder="main"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                />
            })}
            {for_agents(agents, draft.agent, draft.model, draft.prompt, refusal)}
            {for_commands(draft.script, refusal)}
            {choice_field(Label::new("priority", "Priority", ""), refusal, priority_choices(priority))}
            {more(draft.max_attempts, draft.run_at, refusal)}
            <footer class="form-foot">
                <a class="button" href="/">"Back"</a>
                <button class="button" data-kind="primary" type="submit">{icon(Shape::Bolt)} "Run it"</button>
            </footer>
        </form>
    }
}

/// What an agent is asked. Hidden while a script is chosen, and so never required: the server says what is missing.
fn for_agents(
    agents: Vec<AgentStatus>,
    chosen: Option<String>,
    model: Option<String>,
    prompt: Option<String>,
    refusal: Option<&ApiError>,
) -> impl IntoView + use<> {
    let chosen =
        chosen.or_else(|| agents.iter().find(|agent| agent.is_ready()).map(|agent| agent.name.clone()));
    let hint = if agents.is_empty() {
        "No runner that takes agents' jobs is connected. Start one with millrace run."
    } else {
        ""
    };
    let options = agents.into_iter().map(|agent| {
        let text = format!("{}{}", agent.title, lack(&agent));
        let selected = chosen.as_deref() == Some(agent.name.as_str());
        view! { <option value=agent.name selected=selected>{text}</option> }
    });
    let prompt_label =
        Label::new("prompt", "Prompt", "What the agent is to do. It works on a branch of its own.");
    let model_label = Label::new("model", "Model", "Empty for the agent's usual one.");
    view! {
        <div class="for-kind" data-kind="agent">
            {field(prompt_label, refusal, view! {
                <textarea
                    id="prompt"
                    name="job[prompt]"
                    rows="8"
                    placeholder="Fix the flaky test in tests/login.rs and say why it was flaky."
                >
                    {prompt}
                </textarea>
            })}
            <div class="field-row">
                {field(Label::new("agent", "Agent", hint), refusal, view! {
                    <select id="agent" name="job[agent]">{options.collect_view()}</select>
                })}
                {field(model_label, refusal, view! {
                    <input
                        id="model"
                        name="job[model]"
                        value=model
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                    />
                })}
            </div>
        </div>
    }
}

/// Why an agent could not start now.
fn lack(agent: &AgentStatus) -> &'static str {
    match (agent.installed, agent.is_ready()) {
        (_, true) => "",
        (false, _) => " (not installed)",
        (true, false) => " (no credentials)",
    }
}

fn for_commands(script: Option<String>, refusal: Option<&ApiError>) -> impl IntoView + use<> {
    let label = Label::new(
        "script",
        "Script",
        "Runs in the checkout with bash -e, or with the program that its #! line names. Exit code 0 is success.",
    );
    view! {
        <div class="for-kind" data-kind="command">
            {field(label, refusal, view! {
                <textarea
                    id="script"
                    name="job[script]"
                    rows="10"
                    placeholder="cargo test"
                    autocapitalize="none"
                    spellcheck="false"
                >
                    {script}
                </textarea>
            })}
        </div>
    }
}

fn kind_choices(kind: Kind) -> impl IntoView {
    let choices = Kind::ALL.iter().map(|choice| {
        let text = match choice {
            Kind::Agent => "An agent",
            Kind::Command => "A script",
        };
        view! {
            <label>
                <input
                    type="radio"
                    name="job[kind]"
                    id=format!("kind-{choice}")
                    value=choice.as_str()
                    checked=*choice == kind
                />
                <span>{text}</span>
            </label>
        }
    });
    choices.collect_view()
}

/// What most jobs leave as it is. Open when something in it was chosen, or was wrong.
fn more(attempts: Option<u32>, run_at: Option<i64>, refusal: Option<&ApiError>) -> impl IntoView + use<> {
    let wrong = matches!(refusal, Some(ApiError::Invalid { field, .. }) if field == "max_attempts" || field == "run_at");
    let open = wrong || attempts.is_some() || run_at.is_some();
    let attempts_label = Label::new(
        "max_attempts",
        "Attempts",
        "How often it is tried before it has failed. Empty for the usual number.",
    );
    let start_label = Label {
        local_hint: Some("In your time zone. Empty to start as soon as possible."),
        ..Label::new("run_at", "Start", "In UTC. Empty to start as soon as possible.")
    };
    view! {
        <details class="more-fields" open=open>
            <summary>"More"</summary>
            <div class="field-row">
                {field(attempts_label, refusal, view! {
                    <input
                        id="max_attempts"
                        name="job[max_attempts]"
                        type="number"
                        min="1"
                        max=MOST_ATTEMPTS
                        value=attempts
                    />
                })}
                {field(start_label, refusal, view! {
                    <input
                        id="run_at"
                        name="start"
                        type="datetime-local"
                        value=run_at.map(|at| form_time(Timestamp(at)))
                    />
                })}
            </div>
        </details>
    }
}

fn priority_choices(priority: Priority) -> impl IntoView {
    let choices = Priority::ALL.iter().map(|choice| {
        view! {
            <label>
                <input type="radio" name="job[priority]" value=choice.as_str() checked=*choice == priority />
                <span class="capitalize">{choice.as_str()}</span>
            </label>
        }
    });
    choices.collect_view()
}
