//! Asking the server. The address is a server function's that reads, or one of the API's; its answer is JSON.

use gloo_net::http::Request;
use serde::Deserialize;

use crate::model::ApiError;

pub async fn ask(address: &str) -> Result<String, ApiError> {
    let answer = Request::get(address).send().await.map_err(|_| ApiError::Unreachable)?;
    let text = answer.text().await.map_err(|_| ApiError::Unreachable)?;
    if answer.ok() { Ok(text) } else { Err(refusal(&text)) }
}

/// What the API answers, and what stands before it and before the server functions: problem+json.
#[derive(Deserialize)]
struct Problem {
    status: u16,
    detail: String,
}

/// Why something was refused, by the answer's text: a server function's own error, or a problem.
pub(super) fn refusal(answer: &str) -> ApiError {
    if let Ok(error) = serde_json::from_str(answer) {
        return error;
    }
    match serde_json::from_str(answer) {
        Ok(Problem { status: 401, .. }) => ApiError::SignIn,
        Ok(Problem { status: 404, detail }) => ApiError::NotFound(detail),
        // Whatever it is, its words say it.
        Ok(Problem { detail, .. }) => ApiError::Forbidden(detail),
        Err(_) => ApiError::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_functions_error_is_taken_as_it_is() {
        let error = ApiError::invalid("cron", "names no time");
        assert_eq!(refusal(&serde_json::to_string(&error).unwrap()), error);
    }

    #[test]
    fn of_a_problem_the_words_are_shown() {
        let problem = |status: u16| {
            let detail = format!("because of {status}");
            serde_json::json!({ "type": "about:blank", "title": "No", "status": status, "detail": detail })
                .to_string()
        };
        for status in [403, 413, 429, 503] {
            assert_eq!(refusal(&problem(status)).to_string(), format!("because of {status}"));
        }
        assert_eq!(refusal(&problem(401)), ApiError::SignIn);
        assert_eq!(refusal(&problem(404)), ApiError::NotFound("because of 404".to_owned()));
    }

    #[test]
    fn an_answer_that_is_not_ours_says_nothing() {
        for answer in ["", "<html>Bad gateway</html>", "{}"] {
            assert_eq!(refusal(answer), ApiError::Internal);
        }
    }
}
