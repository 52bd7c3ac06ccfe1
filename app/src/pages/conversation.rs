//! An agent's job goes on: what was asked before and after it, and the box that asks for more.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::{
    api::{CancelJob, CreateJob},
    components::{
        LiveParts, Shape, icon,
        state::job_icon,
        words::{changed_text, cost_text, outlook, sentence},
    },
    model::{AgentRun, Exchange, Job, JobState, Kind, Timestamp},
    transcript::markdown,
};

/// The jobs of a conversation, the oldest first, each with what was asked and what came of it, and the box for a follow-up.
/// Nothing for the job of a script.
pub fn conversation_part(job: &Job, conversation: &[Exchange], now: Timestamp) -> impl IntoView + use<> {
    let id = job.id;
    (job.kind == Kind::Agent).then(|| {
        let exchanges = conversation.iter().map(|one| exchange(one, one.job.id == id, now)).collect_view();
        let list = (!conversation.is_empty()).then(|| view! { <ol class="exchanges">{exchanges}</ol> });
        // The page follows its own job anyway.
        let others_go_on = conversation.iter().any(|one| one.job.id != id && !one.job.state.is_finished());
        view! {
            <section class="conversation" aria-labelledby="conversation-title">
                <h2 id="conversation-title">"Conversation"</h2>
                <div id="conversation" data-part="" tabindex="-1">{list}</div>
                {others_go_on.then(|| view! { <LiveParts /> })}
                <form class="follow-up" method="post" action=CreateJob::url() data-live="">
                    <input type="hidden" name="job[kind]" value=Kind::Agent.as_str() />
                    <input type="hidden" name="job[repository]" value="" />
                    <input type="hidden" name="job[parent]" value=id.to_string() />
                    <label class="sr-only" for="follow-up">"Follow-up"</label>
                    <textarea
                        id="follow-up"
                        name="job[prompt]"
                        rows="3"
                        placeholder="What should it do next?"
                        aria-describedby="follow-up-note"
                        required
                    ></textarea>
                    <p id="follow-up-note" class="field-note">"It works on the same branch, when this job has ended."</p>
                    <button class="button" type="submit">{icon(Shape::Bolt)} "Ask for more"</button>
                </form>
            </section>
        }
    })
}

/// One job of a conversation; one that has not started can be withdrawn.
fn exchange(exchange: &Exchange, is_shown: bool, now: Timestamp) -> impl IntoView + use<> {
    let Exchange { job, asked, run } = exchange;
    let waits = matches!(job.state, JobState::Scheduled | JobState::Queued | JobState::Parked);
    let withdraw = (waits && !is_shown).then(|| {
        view! {
            <form method="post" action=CancelJob::url() data-live="">
                <input type="hidden" name="id" value=job.id.to_string() />
                <button class="button" type="submit">"Withdraw"</button>
            </form>
        }
    });
    // A prompt of one short line is its own title.
    let asked = (asked.trim() != job.title).then(|| {
        view! { <blockquote class="exchange-asked" tabindex="0">{asked.trim().to_owned()}</blockquote> }
    });
    let summary = run.as_ref().and_then(|run| run.summary.as_deref());
    let summary =
        summary.map(|text| view! { <div class="markdown" inner_html=markdown::render(text)></div> });
    let facts = facts_text(run.as_ref());
    view! {
        <li aria-current=is_shown.then_some("true")>
            <div class="exchange-head">
                {job_icon(job)}
                <a class="link" href=format!("/jobs/{}", job.id)>{job.title.clone()}</a>
                {withdraw}
            </div>
            {asked}
            <div class="exchange-answer">
                {ending_text(exchange, now).map(|text| view! { <p>{text}</p> })}
                {summary}
                {(!facts.is_empty()).then(|| view! { <p class="exchange-facts">{facts}</p> })}
            </div>
        </li>
    }
}

/// Why it failed, or how it stands where the agent has not said so itself.
fn ending_text(Exchange { job, run, .. }: &Exchange, now: Timestamp) -> Option<String> {
    if let Some(error) = job.error.as_deref().filter(|_| job.state.is_finished()) {
        return Some(sentence(error));
    }
    let has_spoken = run.as_ref().is_some_and(|run| run.summary.is_some());
    (!job.state.is_finished() || !has_spoken).then(|| outlook(job, Some(now)))
}

/// How much was changed, on which branch, and for how much.
fn facts_text(run: Option<&AgentRun>) -> String {
    let Some(AgentRun { changes, branch, usage, .. }) = run else { return String::new() };
    let cost = usage.and_then(|usage| usage.cost_micros);
    let facts = [changes.map(changed_text), branch.clone(), cost.map(cost_text)];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AgentOutcome, ChangeFigures, Usage, sample};

    fn exchange_of(state: JobState, error: Option<&str>, summary: Option<&str>) -> Exchange {
        let run = AgentRun { summary: summary.map(str::to_owned), ..AgentRun::default() };
        let error = error.map(str::to_owned);
        let job = Job { state, error, outcome: Some(AgentOutcome::NoChange), ..sample::job(1) };
        Exchange { job, asked: String::new(), run: Some(run) }
    }

    #[test]
    fn an_answer_is_the_agents_own_or_says_how_it_stands() {
        let text = |state, error, summary| ending_text(&exchange_of(state, error, summary), Timestamp(0));
        assert_eq!(text(JobState::Succeeded, None, Some("Done.")), None);
        let nothing = "The agent finished and left nothing to commit.";
        assert_eq!(text(JobState::Succeeded, None, None).as_deref(), Some(nothing));
        assert_eq!(text(JobState::Failed, Some("No quota"), Some("Half.")).as_deref(), Some("No quota."));
        assert_eq!(text(JobState::Queued, Some("Once"), None).as_deref(), Some("In the queue."));
    }

    #[test]
    fn facts_are_what_is_known() {
        let usage = Usage { cost_micros: Some(20_000), ..Usage::default() };
        let run = AgentRun {
            changes: Some(ChangeFigures { files: 2, additions: 10, deletions: 3, commits: 1 }),
            branch: Some("millrace/1-turn".to_owned()),
            usage: Some(usage),
            ..AgentRun::default()
        };
        assert_eq!(facts_text(Some(&run)), "2 files, +10 −3 · millrace/1-turn · $0.02");
        assert_eq!(facts_text(Some(&AgentRun::default())), "");
    }
}
