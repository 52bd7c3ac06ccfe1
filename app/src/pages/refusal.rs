//! What was wrong with the form that led to a page, when a browser without the WASM was sent back to it.

use leptos_router::params::ParamsMap;
use server_fn::{ServerFn, error::ServerFnUrlError};

use crate::{api::CreateJob, model::ApiError};

/// Why the form of this server function was refused.
pub fn refusal<Function: ServerFn<Error = ApiError>>(query: &ParamsMap) -> Option<ApiError> {
    (query.get_str("__path")? == Function::PATH).then(|| decode(query))?
}

/// Why a form was refused, unless its page says that at one of its fields.
pub fn general_refusal(query: &ParamsMap) -> Option<ApiError> {
    const FIELDS: [&str; 10] = [
        "kind",
        "repository",
        "ref",
        "prompt",
        "agent",
        "model",
        "script",
        "priority",
        "max_attempts",
        "run_at",
    ];
    let of_new_job = query.get_str("__path") == Some(CreateJob::PATH);
    decode(query).filter(|error| {
        !matches!(error, ApiError::Invalid { field, .. } if of_new_job && FIELDS.contains(&field.as_str()))
    })
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
        for other in [
            refused::<CreateJob>(ApiError::Internal),
            refused::<CreateJob>(ApiError::invalid("parent", "is unknown")),
            refused::<PauseLane>(ApiError::invalid("script", "is empty")),
        ] {
            assert!(general_refusal(&other).is_some());
        }
        assert_eq!(general_refusal(&ParamsMap::new()), None);
    }
}
