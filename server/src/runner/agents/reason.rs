//! Why a provider refused, read from a status or from the words that agents pass on.
//!
//! A used-up quota has every job of the agent wait, so nothing that a mere log may say is taken for one.

use app::model::AgentOutcome;

/// What providers and agents write, in lower case, the more telling first: a used-up quota is also answered with 429.
const WORDINGS: [(AgentOutcome, &[&str]); 4] = [
    (
        AgentOutcome::Quota,
        &[
            "usage limit",
            "usage_limit",
            "insufficient_quota",
            "exceeded your current quota",
            "exhausted your daily quota",
            "exhausted your capacity",
            "quota exceeded",
            "quota limit",
            "quotaerror",
            "credit balance is too low",
            "out of credits",
            "insufficient credits",
            "insufficient balance",
            "billing_hard_limit",
            "5-hour limit",
            "weekly limit",
        ],
    ),
    (
        AgentOutcome::Authentication,
        &[
            "401 unauthorized",
            "403 forbidden",
            "api key",
            "api_key",
            "apikey",
            "authentication_error",
            "authenticationerror",
            "authentication_failed",
            "permission_error",
            "unauthenticated",
            "not logged in",
            "please run /login",
            "auth method",
            "oauth token has expired",
            "invalid bearer token",
        ],
    ),
    (
        AgentOutcome::RateLimited,
        &[
            "rate limit",
            "rate_limit",
            "ratelimit",
            "too many requests",
            "overloaded",
            "resource_exhausted",
            "at capacity",
        ],
    ),
    (AgentOutcome::LimitReached, &["maximum number of turns", "max session turns", "maximum budget"]),
];

/// What agents complain of on standard error when they cannot start to work.
const COMPLAINTS: [&str; 12] = [
    "please run /login",
    "not logged in",
    "set an auth method",
    "you must specify the gemini_api_key",
    "api_key environment variable not found",
    "invalid api key",
    "incorrect api key",
    "missing api key",
    "api key is missing",
    "api key not valid",
    "401 unauthorized",
    "oauth token has expired",
];

/// The reason that the wording of a refusal gives, if it gives one.
pub(super) fn reason_of(text: &str) -> Option<AgentOutcome> {
    // A disk that is full for somebody is no provider.
    let text = text.to_lowercase().replace("disk quota", "");
    let worded = WORDINGS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word)));
    worded.map(|(reason, _)| *reason).or_else(|| {
        statuses(&text).find_map(|status| match status {
            401 => Some(AgentOutcome::Authentication),
            429 | 529 => Some(AgentOutcome::RateLimited),
            _ => None,
        })
    })
}

/// The reason that the status of a provider's answer gives together with its wording.
pub(super) fn reason_of_status(status: u64, text: &str) -> AgentOutcome {
    match status {
        401 | 403 => AgentOutcome::Authentication,
        402 => AgentOutcome::Quota,
        429 if reason_of(text) == Some(AgentOutcome::Quota) => AgentOutcome::Quota,
        429 | 503 | 529 => AgentOutcome::RateLimited,
        _ => reason_of(text).unwrap_or(AgentOutcome::AgentError),
    }
}

/// The reason that the last errors of an agent give that ended without a word of its own. They may come from anything that it
/// has run, so they never tell of a quota.
pub(super) fn reason_of_errors(errors: &str) -> Option<AgentOutcome> {
    let errors = errors.to_lowercase();
    let complains = COMPLAINTS.iter().any(|words| errors.contains(words));
    complains.then_some(AgentOutcome::Authentication)
}

/// The numbers in a text in lower case that are called a status, as in `error: 429` or `"status":529`. Any other may be that
/// of a line.
fn statuses(text: &str) -> impl Iterator<Item = u64> {
    const NAMES: [&str; 5] = ["status", "code", "statuscode", "error", "http"];
    let named = words(text).zip(words(text).skip(1)).filter(|(name, _)| NAMES.contains(name));
    named.filter_map(|(_, number)| number.parse::<u64>().ok())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_quota_is_no_mere_rate_limit() {
        let quota = "429 You exceeded your current quota, please check your plan and billing details.";
        assert_eq!(reason_of(quota), Some(AgentOutcome::Quota));
        assert_eq!(reason_of_status(429, quota), AgentOutcome::Quota);
        assert_eq!(reason_of_status(429, "Slow down"), AgentOutcome::RateLimited);
    }

    #[test]
    fn a_number_counts_where_it_is_called_a_status() {
        for text in
            ["API Error: 429 {}", "got status: 429 .", r#"{"status":529}"#, "HTTP 429", "Error code: 429 - x"]
        {
            assert_eq!(reason_of(text), Some(AgentOutcome::RateLimited), "{text}");
        }
        assert_eq!(reason_of("error: 401"), Some(AgentOutcome::Authentication));
        for text in ["at Module.load (cli.js:429:12)", "529 files were read", "took 429 ms", "error at 429"] {
            assert_eq!(reason_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_full_disk_is_no_used_up_quota() {
        assert_eq!(reason_of("MILLRACE.md cannot be written: Disk quota exceeded (os error 122)"), None);
        assert_eq!(reason_of("Quota exceeded for this project"), Some(AgentOutcome::Quota));
    }

    #[test]
    fn errors_tell_of_a_key_and_of_nothing_else() {
        for text in [
            "Please set an Auth method in your /home/millrace/.gemini/settings.json",
            "AI_LoadAPIKeyError: OpenAI API key is missing.",
        ] {
            assert_eq!(reason_of_errors(text), Some(AgentOutcome::Authentication), "{text}");
        }
        for text in ["You've hit your usage limit", "429 Too Many Requests", "test rotates_an_api_key ... ok"]
        {
            assert_eq!(reason_of_errors(text), None, "{text}");
        }
    }

    #[test]
    fn what_says_nothing_of_the_provider_has_no_reason() {
        assert_eq!(reason_of("cannot open main.rs"), None);
        assert_eq!(reason_of_status(500, "Internal server error"), AgentOutcome::AgentError);
    }
}
