//! Making a GitHub App without filling its form in: a browser brings a manifest to GitHub, and a code back.

use reqwest::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Client, GitHubError};

/// GitHub's bound.
const NAME_CHARS: usize = 34;

/// What the App is to be.
#[derive(Debug, Serialize)]
pub struct Manifest {
    pub name: String,
    url: String,
    hook_attributes: Hook,
    redirect_url: String,
    callback_urls: [String; 1],
    setup_url: String,
    setup_on_update: bool,
    public: bool,
    default_permissions: Permissions,
    default_events: [&'static str; 7],
}

#[derive(Debug, Serialize)]
struct Hook {
    url: String,
    active: bool,
}

#[derive(Debug, Serialize)]
struct Permissions {
    contents: &'static str,
    issues: &'static str,
    pull_requests: &'static str,
    checks: &'static str,
    metadata: &'static str,
    members: &'static str,
}

impl Manifest {
    /// For the Millrace at this address, without a slash at its end.
    pub fn new(public_address: &str) -> Self {
        let at = |path: &str| format!("{public_address}{path}");
        let host = public_address.split_once("://").map_or(public_address, |(_, host)| host);
        // Names are GitHub's over: the host makes it one of its own.
        let name: String = format!("Millrace {}", host.replace([':', '/'], "-"));
        Self {
            name: name.chars().take(NAME_CHARS).collect(),
            url: public_address.to_owned(),
            hook_attributes: Hook { url: at("/webhooks/github"), active: true },
            redirect_url: at("/settings/github/created"),
            callback_urls: [at("/auth/github/callback")],
            setup_url: at("/settings/github/installed"),
            setup_on_update: true,
            public: false,
            default_permissions: Permissions {
                contents: "write",
                issues: "write",
                pull_requests: "write",
                checks: "write",
                metadata: "read",
                members: "read",
            },
            // Those about installations come by themselves.
            default_events: [
                "issue_comment",
                "issues",
                "pull_request",
                "pull_request_review",
                "pull_request_review_comment",
                "check_run",
                "repository",
            ],
        }
    }
}

/// The App that was made, with its secrets, which GitHub tells this once.
#[derive(Debug, Deserialize)]
pub struct Conversion {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub html_url: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub webhook_secret: SecretString,
    pub pem: SecretString,
}

/// Without a token.
impl Client {
    /// `code` is what the browser brought back. It works once.
    pub async fn convert_manifest(&self, code: &str) -> Result<Conversion, GitHubError> {
        // A code of other characters is none, and would lead elsewhere.
        if code.is_empty() || !code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(GitHubError::NotFound);
        }
        self.without_body(Method::POST, &format!("/app-manifests/{code}/conversions")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_leads_everything_back_here() {
        let manifest = Manifest::new("https://millrace.example.com");
        let json = serde_json::to_value(&manifest).unwrap();
        assert_eq!(json["name"], "Millrace millrace.example.com");
        assert_eq!(json["hook_attributes"]["url"], "https://millrace.example.com/webhooks/github");
        assert_eq!(json["callback_urls"][0], "https://millrace.example.com/auth/github/callback");
        assert_eq!(
            (&json["public"], &json["default_permissions"]["members"]),
            (&false.into(), &"read".into())
        );
        assert!(Manifest::new("https://a-very-long-name.of-a-host.example.com").name.len() <= NAME_CHARS);
    }
}
