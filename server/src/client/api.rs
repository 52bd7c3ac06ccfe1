//! Requests to the REST API, and what can be wrong with the answers.

use std::time::Duration;

use app::model::{JobDetail, JobId};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Place;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest silence within an answer. Live streams send a sign of life every fifteen seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Why a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "{server} does not answer ({reason}). Is Millrace running there? `millrace up` starts it; --server or MILLRACE_URL \
         names another place"
    )]
    Unreachable { server: String, reason: String },
    /// The server's own words.
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
    #[error(
        "{server} answered {status}, but not in the way of Millrace. Check the address in --server or MILLRACE_URL"
    )]
    NotMillrace { server: String, status: StatusCode },
}

impl ClientError {
    /// Whether the same request may well succeed in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::NotMillrace { status, .. } => matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        }
    }
}

/// The part of problem+json that is for people.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// A server that can be asked.
pub struct Api {
    http: Client,
    place: Place,
}

impl Api {
    pub fn new(place: Place) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            // An address that redirects is not the one to send the token to.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, place })
    }

    /// The page of a job, for people.
    pub fn page(&self, id: JobId) -> String {
        self.place.address(&format!("/jobs/{id}"))
    }

    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        let response = self.send(self.request(Method::GET, path).query(query)).await?;
        self.read(response).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let response = self.send(self.request(Method::POST, path).json(body)).await?;
        self.read(response).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// An answer that goes on.
    pub async fn open(&self, path: &str, query: &impl Serialize) -> Result<Response, ClientError> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// The job with this id, or the one whose id ends with these eight digits.
    pub async fn job(&self, id: &str) -> anyhow::Result<JobDetail> {
        let is_id =
            id.parse::<JobId>().is_ok() || (id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()));
        anyhow::ensure!(
            is_id,
            "`{id}` is no job's id. Give the whole id, or its last eight digits as `millrace ls` shows them"
        );
        Ok(self.get(&format!("/api/jobs/{id}"), &()).await?)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.place.address(path)).bearer_auth(self.place.token.expose_secret())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        match response.json::<Problem>().await {
            Ok(Problem { detail }) => Err(ClientError::Refused { status, detail }),
            Err(_) => Err(ClientError::NotMillrace { server: self.place.address(""), status }),
        }
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let status = response.status();
        response.json().await.map_err(|error| match error.is_decode() {
            true => ClientError::NotMillrace { server: self.place.address(""), status },
            false => self.unreachable(&error),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { server: self.place.address(""), reason: innermost(error) }
    }
}

/// The last reason in an error's chain is the one that a person can do something about.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
