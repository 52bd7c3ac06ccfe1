//! Deliveries of webhooks, and what came of each.

use serde::{Deserialize, Serialize};

use super::{DeliveryId, JobId, Timestamp, address::address, text_enum::text_enum};

text_enum! {
    /// What came of a delivery.
    Verdict {
        /// It made a job.
        Ran = "ran",
        /// It was answered without a job.
        Answered = "answered",
        /// What it asks for was asked for before.
        Duplicate = "duplicate",
        /// It asks Millrace for nothing.
        NotForUs = "not_for_us",
        /// Whoever asked may not.
        NotAllowed = "not_allowed",
        /// Too much in one thread: it looks like a loop.
        LoopGuard = "loop_guard",
        /// GitHub answered no more questions for too long.
        RateLimited = "rate_limited",
        /// It was not signed, or with another secret.
        BadSignature = "bad_signature",
        /// It could not be worked on.
        Error = "error",
    }
}

/// One delivery. Without a verdict it waits to be worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Delivery {
    pub id: DeliveryId,
    /// GitHub's word for what happened, such as `issue_comment`.
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `owner/name`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The issue or pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The login of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    pub received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The job that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked_at: Option<Timestamp>,
    /// How often it came.
    pub seen: u32,
    /// How often it was begun.
    pub tries: u32,
    /// How often somebody had it worked on anew.
    pub replays: u32,
}

impl Delivery {
    /// Whether it can be worked on anew: not while it waits, and not when anybody may have sent it.
    pub fn can_be_replayed(&self) -> bool {
        self.verdict.is_some_and(|verdict| verdict != Verdict::BadSignature)
    }
}

/// A delivery with what was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeliveryDetail {
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The body as it came; what is not text in it is replaced.
    pub payload: String,
}

/// Which deliveries to list. An empty filter lists all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(default)]
pub struct DeliveryFilter {
    pub verdict: Option<Verdict>,
    /// Words to find in event, repository, number, sender and detail.
    pub q: Option<String>,
    /// Where the page before ended: its `next`.
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

impl DeliveryFilter {
    /// The page under this filter, with one delivery opened.
    pub fn address(&self, open: Option<DeliveryId>) -> String {
        let open = open.map(|id| id.to_string());
        address(
            "/deliveries",
            &[
                ("verdict", self.verdict.map(Verdict::as_str)),
                ("q", self.q.as_deref()),
                ("cursor", self.cursor.as_deref()),
                ("open", open.as_deref()),
            ],
        )
    }
}

/// A page of deliveries, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DeliveryPage {
    pub deliveries: Vec<Delivery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
