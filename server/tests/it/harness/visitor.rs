//! People on their way between Millrace and the fake GitHub, as their browser sends them.

use millrace_fake_github::FakeGitHub;
use reqwest::{Response, Url};

use super::{App, Browser, location};

/// What the fake GitHub's OAuth client and the settings have in common.
pub const CLIENT: [(&str, &str); 2] =
    [("MILLRACE_GITHUB__CLIENT_ID", "Iv1.test"), ("MILLRACE_GITHUB__CLIENT_SECRET", "client-secret")];

/// An application whose people can sign in with this GitHub. `members` as in the settings.
pub async fn with_sign_in(github: &FakeGitHub, members: &str) -> App {
    github.world().add_oauth_client(CLIENT[0].1, CLIENT[1].1, &[]);
    let url = github.url();
    let settings = [("MILLRACE_GITHUB__URL", url.as_str()), ("MILLRACE_GITHUB__MEMBERS", members)];
    App::with(&[&settings[..], &CLIENT[..]].concat()).await
}

/// Presses a button on GitHub's page: *Continue as* this login, or *Deny*. Says where the browser is sent.
pub async fn authorize(app: &App, address: &str, login: Option<&str>) -> String {
    let address = Url::parse(address).unwrap();
    let mut fields: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    fields.push(("login".to_owned(), login.unwrap_or_default().to_owned()));
    let mut page = address.clone();
    page.set_query(None);
    let response = app.http.post(page).form(&fields).send().await.unwrap();
    location(&response).to_owned()
}

impl Browser<'_> {
    /// *Sign in with GitHub*, up to where GitHub sends the browser back to.
    pub async fn leave_for_github(&mut self, login: Option<&str>) -> String {
        let response = self.visit("/auth/github").await;
        authorize(self.app, location(&response), login).await
    }

    /// The whole way. Says where it ends.
    pub async fn sign_in_with_github(&mut self, login: &str) -> String {
        let back = self.leave_for_github(Some(login)).await;
        location(&self.visit(&back).await).to_owned()
    }

    /// Follows a link to one of our own addresses, and keeps the cookie that comes back.
    pub async fn visit(&mut self, address: &str) -> Response {
        let address = if address.starts_with('/') { self.app.url(address) } else { address.to_owned() };
        let response = self.send(self.app.http.get(address)).await;
        self.keep_cookie(&response);
        response
    }
}
