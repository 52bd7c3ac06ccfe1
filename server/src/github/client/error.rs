//! Why GitHub did not do what was asked.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

/// How long to wait when GitHub says that there was too much, but not until when.
const PAUSE: TimeDelta = TimeDelta::seconds(60);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// The token is not, or no longer, valid.
    #[error("GitHub does not accept Millrace's token any more")]
    Unauthorized,
    #[error("GitHub does not allow it: {0}")]
    Forbidden(String),
    /// It is not there, or the token may not see it.
    #[error("GitHub does not have it, or does not show it to Millrace")]
    NotFound,
    /// The request makes no sense to GitHub, in its words.
    #[error("GitHub refused it: {0}")]
    Invalid(String),
    #[error("GitHub wants to be asked again after {}", until.format("%H:%M:%S UTC"))]
    RateLimited { until: DateTime<Utc> },
    #[error("GitHub does not answer ({0})")]
    Away(String),
    #[error("GitHub answered something unexpected: {0}")]
    Unexpected(String),
}

/// GitHub's own form of an error.
#[derive(Deserialize)]
struct Said {
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Field { message: Option<String>, field: Option<String>, code: Option<String> },
}

impl Detail {
    fn words(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Field { message: Some(message), .. } => message,
            Self::Field { field, code, .. } => {
                [field, code].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

impl GitHubError {
    /// Whether the same request may succeed in a moment.
    pub fn may_pass_soon(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// Whether it may succeed later without anybody doing something about it.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away(_) | Self::RateLimited { .. } | Self::Unauthorized | Self::Unexpected(_))
    }

    pub(super) fn away(error: reqwest::Error) -> Self {
        // Without the address: it is known, and may hold what is nobody's business.
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(deeper) = source {
            reason = deeper.to_string();
            source = deeper.source();
        }
        Self::Away(reason)
    }

    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let now = Utc::now();
        let pause = super::pause(response.headers(), now);
        let body = super::body(response).await.unwrap_or_default();
        let said: Option<Said> = serde_json::from_slice(&body).ok();
        let words = said.map(|Said { message, errors }| {
            let details = errors.into_iter().map(Detail::words);
            std::iter::once(message).chain(details).collect::<Vec<_>>().join(" · ")
        });
        let words = words.unwrap_or_else(|| format!("status {status}"));
        let is_limit = || pause.is_some() || words.to_lowercase().contains("rate limit");
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited { until: pause.unwrap_or(now + PAUSE) },
            StatusCode::FORBIDDEN if is_limit() => Self::RateLimited { until: pause.unwrap_or(now + PAUSE) },
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden(words),
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NotFound,
            status if status.is_server_error() => busy(words, pause),
            status if status.is_client_error() => Self::Invalid(words),
            _ => Self::Unexpected(words),
        }
    }
}

/// GitHub has a fault, and may say for how long.
fn busy(words: String, pause: Option<DateTime<Utc>>) -> GitHubError {
    pause.map_or(GitHubError::Away(words), |until| GitHubError::RateLimited { until })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fault_that_says_when_to_come_again_is_waited_for() {
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let builder =
                headers.iter().fold(http::Response::builder().status(status), |builder, (name, value)| {
                    builder.header(*name, *value)
                });
            GitHubError::read(Response::from(builder.body("").unwrap()))
        };
        let GitHubError::RateLimited { until } = answer(503, &[("retry-after", "120")]).await else {
            panic!()
        };
        assert!(until - Utc::now() > TimeDelta::seconds(110));
        assert!(matches!(answer(502, &[]).await, GitHubError::Away(_)));
    }
}
