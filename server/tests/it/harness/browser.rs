//! A browser as far as requests go: keeps the session's cookie and says where its requests come from.

use reqwest::{
    RequestBuilder, Response,
    header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE},
};

use super::App;

pub struct Browser<'a> {
    pub(super) app: &'a App,
    /// The session's cookie as `name=value`.
    pub cookie: Option<String>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a App) -> Self {
        Self { app, cookie: None }
    }

    /// One that used a fresh sign-in link of this person.
    pub async fn signed_in(app: &'a App, login: &str) -> Self {
        let mut browser = Self::new(app);
        let token = app.sign_in_token(login).await;
        let response = browser.sign_in(&token).await;
        assert_eq!(location(&response), "/");
        browser
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(self.app.http.get(self.app.url(path))).await
    }

    /// Posts from one of our own pages.
    pub async fn post(&self, path: &str) -> Response {
        self.send(self.app.http.post(self.app.url(path)).header(ORIGIN, self.app.url(""))).await
    }

    /// Presses the button behind a sign-in link.
    pub async fn sign_in(&mut self, token: &str) -> Response {
        let request = self.app.http.post(self.app.url("/session")).header(ORIGIN, self.app.url(""));
        let response = self.send(request.form(&[("token", token)])).await;
        self.keep_cookie(&response);
        response
    }

    pub(super) fn keep_cookie(&mut self, response: &Response) {
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
    }

    /// Sends a request with the session's cookie.
    pub async fn send(&self, request: RequestBuilder) -> Response {
        let request = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        request.send().await.unwrap()
    }
}

/// Where a redirect leads.
#[track_caller]
pub fn location(response: &Response) -> &str {
    response
        .headers()
        .get(LOCATION)
        .unwrap_or_else(|| panic!("{} is no redirect", response.status()))
        .to_str()
        .unwrap()
}
