//! Asking for a job.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{hooks::use_query_map, params::ParamsMap};

use super::{new_job_form::NewJobForm, refusal::refusal};
use crate::{
    api::{self, CreateJob},
    model::NewJob,
};

#[component]
pub fn NewJobPage() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let refusal = refusal::<CreateJob>(&query);
    let draft = draft_from(&query);
    view! {
        <Title text="New job" />
        <div class="page narrow">
            <header class="page-head">
                <h1>"New job"</h1>
                <p>"An agent or a script works in a fresh checkout of a repository. You watch it live."</p>
            </header>
            <Suspense>
                {Suspend::new(async move {
                    // Without them the person types the repository; the form needs nothing else.
                    let repositories = api::repositories().await.unwrap_or_default();
                    let agents = api::agents().await.unwrap_or_default();
                    view! { <NewJobForm draft repositories agents refusal /> }
                })}
            </Suspense>
        </div>
    }
}

/// The address may fill the form: with a copy of another job, or with what was typed before it was refused.
pub(crate) fn draft_from(query: &ParamsMap) -> NewJob {
    NewJob {
        kind: query.get("kind").unwrap_or_default(),
        repository: query.get("repository").unwrap_or_default(),
        git_ref: query.get("ref"),
        script: query.get("script"),
        prompt: query.get("prompt"),
        parent: query.get("parent"),
        agent: query.get("agent"),
        model: query.get("model"),
        priority: query.get("priority"),
        max_attempts: query.get("max_attempts").and_then(|number| number.parse().ok()),
        run_at: query.get("run_at").and_then(|millis| millis.parse().ok()),
        ..NewJob::default()
    }
}

#[cfg(test)]
mod tests {
    use leptos_router::location::RequestUrl;

    use super::*;

    #[test]
    fn a_draft_comes_back_from_its_address_as_it_was() {
        let draft = NewJob {
            kind: "command".to_owned(),
            repository: "/srv/a b?".to_owned(),
            git_ref: Some("feature/ü".to_owned()),
            script: Some("a && b\n# 100 %\n".to_owned()),
            prompt: Some("Why?\n\n- because & so".to_owned()),
            parent: Some("x".to_owned()),
            agent: Some("codex".to_owned()),
            model: Some("a/b:c".to_owned()),
            priority: Some("high".to_owned()),
            max_attempts: Some(5),
            run_at: Some(1_738_332_300_000),
            ..NewJob::default()
        };
        let address = RequestUrl::new(&draft.address()).parse().unwrap();
        assert_eq!(address.path(), "/new");
        assert_eq!(draft_from(address.search_params()), draft);
    }
}
