//! What was wrong with the form that led to a page, when a browser without the WASM was sent back to it.

use leptos_router::params::ParamsMap;
use server_fn::{ServerFn, error::ServerFnUrlError};

use crate::{
    api::{CreateJob, CreateSchedule},
    model::ApiError,
};

/// Why the form of this server function was refused.
pub fn refusal<Function: ServerFn<Error = ApiError>>(query: &ParamsMap) -> Option<ApiError> {
    (query.get_str("__path")? == Function::PATH).then(|| decode(query))?
}

/// The fields of the form that asks for a job.
const OF_JOB: [&str; 10] =
    ["kind", "repository", "ref", "prompt", "agent", "model", "script", "priority", "max_attempts", "run_at"];

/// The fields of the form that makes a schedule.
const OF_SCHEDULE: [&str; 10] = [
    "name",
    "cron",
    "timezone",
    "missed",
    "job.repository",
    "job.ref",
    "job.kind",
    "job.script",
    "job.prompt",
    "job.agent",
];

/// Why a form was refused, unless its page says that at one of its fields.
pub fn general_refusal(query: &ParamsMap) -> Option<ApiError> {
    let fields: &[&str] = match query.get_str("__path") {
        Some(path) if path == CreateJob::PATH => &OF_JOB,
        Some(path) if path == CreateSchedule::PATH => &OF_SCHEDULE,
        _ => &[],
    };
    decode(query)
        .filter(|error| !matches!(error, ApiError::Invalid { field, .. } if fields.contains(&field.as_str())))
}

fn decode(query: &ParamsMap) -> Option<ApiError> {
    query.get_str("__err").map(ServerFnUrlError::<ApiError>::decode_err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PauseLane;

    fn refused<Function: ServerFn<Error = ApiError>>(error: ApiError) -> ParamsMap {
        let url = ServerFnUrlError::new(Function::PATH, error).to_url("http://localhost/").unwrap();
        url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }

    #[test]
    fn a_refusal_of_a_field_is_shown_there_and_any_other_over_the_page() {
        for field in ["kind", "script", "prompt", "agent", "model"] {
            let wrong = ApiError::invalid(field, "is wrong");
            let of_field = refused::<CreateJob>(wrong.clone());
            assert_eq!(refusal::<CreateJob>(&of_field), Some(wrong));
            assert_eq!(general_refusal(&of_field), None, "{field}");
        }
        let of_schedule = refused::<CreateSchedule>(ApiError::invalid("job.script", "is empty"));
        assert_eq!(general_refusal(&of_schedule), None);
        for other in [
            refused::<CreateJob>(ApiError::Internal),
            refused::<CreateJob>(ApiError::invalid("parent", "is unknown")),
            refused::<CreateSchedule>(ApiError::invalid("script", "is empty")),
            refused::<PauseLane>(ApiError::invalid("script", "is empty")),
        ] {
            assert!(general_refusal(&other).is_some());
        }
        assert_eq!(general_refusal(&ParamsMap::new()), None);
    }
}
