//! Why a provider refused, read from a status or from the words that agents pass on.

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
            "error: 401",
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
            "429",
            "overloaded",
            "resource_exhausted",
            "529",
            "at capacity",
        ],
    ),
    (AgentOutcome::LimitReached, &["maximum number of turns", "max session turns", "maximum budget"]),
];

/// The reason that a wording gives, if it gives one.
pub(super) fn reason_of(text: &str) -> Option<AgentOutcome> {
    let text = text.to_lowercase();
    WORDINGS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word))).map(|(reason, _)| *reason)
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
    fn what_says_nothing_of_the_provider_has_no_reason() {
        assert_eq!(reason_of("cannot open main.rs"), None);
        assert_eq!(reason_of_status(500, "Internal server error"), AgentOutcome::AgentError);
    }
}
