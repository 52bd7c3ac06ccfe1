//! One job: its log and its facts.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

use super::{
    changes::{self, Wanted},
    conversation::conversation_part,
    error::ErrorPage,
    waiting::waiting_part,
};
use crate::{
    api, backend,
    components::{
        Given, Tone,
        job::{FirstSteps, JobView, Loaded, Request, Tab, first_window},
        notice,
        words::sentence,
    },
    model::{ApiError, Diff, Exchange, JobDetail, JobId, OutputPage, Waiting},
};

/// What the address asks for: a job, and one of its attempts unless the latest is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    id: Option<JobId>,
    attempt: Option<u32>,
    view: Option<String>,
    tab: Option<String>,
    wanted: Option<Wanted>,
}

#[component]
pub fn JobPage() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let (asked, short) =
        use_params_map().with_untracked(|params| (asked_for(params, &query), short_id(params)));
    view! {
        <Suspense>
            {Suspend::new(async move {
                match load(asked, short).await {
                    Ok(Shown { loaded, waiting, diff, conversation, not_told }) => {
                        let attempt = loaded.attempts.iter().find(|attempt| attempt.attempt == loaded.attempt);
                        let conversation = conversation_part(&loaded.job, &conversation, backend::now());
                        let changes = diff.map(|diff| changes::changes(&loaded.job, attempt, diff));
                        view! {
                            <Title text=loaded.job.title.clone() />
                            <div class="job">
                                <JobView loaded=Given(loaded)>
                                    {waiting_part(waiting.as_ref(), backend::now())}
                                    {not_told.map(not_told_part)}
                                    {conversation}
                                </JobView>
                                {changes}
                            </div>
                        }
                        .into_any()
                    }
                    Err(error) => {
                        let title = match error {
                            ApiError::NotFound(_) => "There is no such job",
                            _ => "This job cannot be shown",
                        };
                        view! { <Title text=title /><ErrorPage title error /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
}

fn asked_for(params: &ParamsMap, query: &ParamsMap) -> Asked {
    let number = |name| query.get_str(name).and_then(|number| number.parse().ok());
    Asked {
        id: params.get_str("id").and_then(|id| id.parse().ok()),
        attempt: number("attempt"),
        view: query.get("view"),
        tab: query.get("tab"),
        wanted: number("file").map(|file| Wanted { file, from: number("from").unwrap_or(0) }),
    }
}

/// The end of an id, which is what lists show of it and people pass on.
fn short_id(params: &ParamsMap) -> Option<String> {
    params.get("id").filter(|id| JobId::is_short(id))
}

/// What the page shows.
struct Shown {
    loaded: Loaded,
    waiting: Option<Waiting>,
    diff: Option<Diff>,
    conversation: Vec<Exchange>,
    not_told: Option<String>,
}

fn not_told_part(problem: String) -> impl IntoView {
    let text = format!("GitHub could not be told: {}", sentence(&problem));
    notice(Tone::Attention, view! { <p>{text}</p> })
}

async fn load(asked: Asked, short: Option<String>) -> Result<Shown, ApiError> {
    let id = match short {
        Some(digits) => {
            let (backend, person) = backend::caller().await?;
            Some(backend.find_short(&person, &digits).await?)
        }
        None => asked.id,
    };
    let id = id.ok_or_else(|| ApiError::NotFound("This is not the id of a job.".to_owned()))?;
    let JobDetail { job, script, prompt, attempts, waiting, usual_ms, conversation, asked_in, not_told } =
        api::job(id).await?;
    let attempt = match asked.attempt {
        Some(number) if attempts.iter().any(|attempt| attempt.attempt == number) => number,
        Some(number) => return Err(ApiError::NotFound(format!("This job has no attempt {number}."))),
        None => job.attempt,
    };
    let tab = Tab::asked(asked.view.as_deref(), asked.tab.as_deref(), job.kind);
    let diff = match tab {
        Tab::Changes => Some(changes::load(&job, attempt, asked.wanted).await?),
        _ => None,
    };
    let output = match attempt {
        0 => OutputPage::default(),
        _ => api::output(id, attempt, first_window(&attempts, attempt)).await?,
    };
    let (pinned, asked_for) = (asked.attempt, script.or(prompt).map(Request::new));
    let steps = match tab {
        Tab::Transcript if attempt > 0 => api::first_steps(id, attempt, output.total).await?,
        _ => FirstSteps::default(),
    };
    let conversation = if conversation.is_empty() {
        Vec::new()
    } else {
        let (backend, person) = backend::caller().await?;
        backend.exchanges(&person, id).await?
    };
    let loaded =
        Loaded { job, asked: asked_for, asked_in, attempts, usual_ms, attempt, output, pinned, tab, steps };
    Ok(Shown { loaded, waiting, diff, conversation, not_told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_wrong_id_or_attempt_asks_for_none() {
        let map = |pairs: &[(&str, &str)]| -> ParamsMap {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let asked = asked_for(&map(&[("id", "x")]), &map(&[("attempt", "-1"), ("tab", "attempts")]));
        assert_eq!((asked.id, asked.attempt), (None, None));
    }

    #[test]
    fn an_address_may_name_a_job_by_the_end_of_its_id() {
        let asked = |id: &str| short_id(&std::iter::once(("id".to_owned(), id.to_owned())).collect());
        assert_eq!(asked("00c0FFee").as_deref(), Some("00c0FFee"));
        for id in ["00c0ffe", "00c0ffeg", "00000000-0000-0000-0000-000000c0ffee"] {
            assert_eq!(asked(id), None);
        }
    }
}
