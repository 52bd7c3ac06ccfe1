//! An agent's job goes on: what was asked before and after it, and the box that asks for more.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::{
    api::{CancelJob, CreateJob},
    components::{LiveParts, Shape, icon, state::job_icon},
    model::{Job, JobState, Kind},
};

/// The jobs of a conversation, the oldest first, and the box for a follow-up. Nothing for the job of a script.
pub fn conversation_part(job: &Job, conversation: &[Job]) -> impl IntoView + use<> {
    let id = job.id;
    (job.kind == Kind::Agent).then(|| {
        let jobs = conversation.iter().map(|one| exchange(one, one.id == id)).collect_view();
        let list = (!conversation.is_empty()).then(|| view! { <ol class="exchanges">{jobs}</ol> });
        // The page follows its own job anyway.
        let others_go_on = conversation.iter().any(|one| one.id != id && !one.state.is_finished());
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
fn exchange(job: &Job, is_shown: bool) -> impl IntoView + use<> {
    let waits = matches!(job.state, JobState::Scheduled | JobState::Queued | JobState::Parked);
    let withdraw = (waits && !is_shown).then(|| {
        view! {
            <form method="post" action=CancelJob::url() data-live="">
                <input type="hidden" name="id" value=job.id.to_string() />
                <button class="button" type="submit">"Withdraw"</button>
            </form>
        }
    });
    view! {
        <li aria-current=is_shown.then_some("true")>
            {job_icon(job)}
            <a class="link" href=format!("/jobs/{}", job.id)>{job.title.clone()}</a>
            {withdraw}
        </li>
    }
}
