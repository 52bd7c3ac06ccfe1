//! Lists by page, with the `Link` header that leads from one to the next.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::request::Parts,
};
use serde_json::Value;
use url::form_urlencoded;

use super::Reply;
use crate::world::World;

/// GitHub's own defaults.
const PER_PAGE: usize = 30;
const MOST_PER_PAGE: usize = 100;

pub(super) struct Paging {
    /// Where the list is, without its query.
    address: String,
    /// The rest of the query.
    others: Vec<(String, String)>,
    pub per_page: usize,
    page: usize,
    pub cursor: Option<String>,
}

impl FromRequestParts<Arc<World>> for Paging {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Infallible> {
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, world).await?;
        let address = format!("{}{}", world.lock().url, uri.path());
        let mut paging = Self { address, others: Vec::new(), per_page: PER_PAGE, page: 1, cursor: None };
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned() {
            match name.as_str() {
                "per_page" => paging.per_page = value.parse().unwrap_or(PER_PAGE).clamp(1, MOST_PER_PAGE),
                "page" => paging.page = value.parse().unwrap_or(1).max(1),
                "cursor" => paging.cursor = Some(value),
                _ => paging.others.push((name, value)),
            }
        }
        Ok(paging)
    }
}

impl Paging {
    pub fn list(&self, items: Vec<Value>) -> Reply {
        let (items, link) = self.slice(items);
        Reply { link, ..Reply::ok(Value::Array(items)) }
    }

    /// For lists that stand in an object beside their number.
    pub fn counted(&self, name: &str, items: Vec<Value>) -> Reply {
        let count = items.len();
        let (items, link) = self.slice(items);
        let mut body = serde_json::json!({ "total_count": count });
        body[name] = Value::Array(items);
        Reply { link, ..Reply::ok(body) }
    }

    /// By cursor, which is the number of the last one that was shown.
    pub fn after(&self, items: Vec<Value>) -> Reply {
        let begin = match &self.cursor {
            Some(cursor) => items
                .iter()
                .position(|item| item["id"].as_u64() == cursor.parse().ok())
                .map_or(items.len(), |index| index + 1),
            None => 0,
        };
        let more = items.len() > begin + self.per_page;
        let items: Vec<Value> = items.into_iter().skip(begin).take(self.per_page).collect();
        let link =
            items.last().filter(|_| more).map(|last| self.link("next", ("cursor", last["id"].to_string())));
        Reply { link, ..Reply::ok(Value::Array(items)) }
    }

    fn slice(&self, items: Vec<Value>) -> (Vec<Value>, Option<String>) {
        let last = items.len().div_ceil(self.per_page).max(1);
        let mut links = Vec::new();
        if self.page > 1 {
            links.push(("prev", self.page - 1));
            links.push(("first", 1));
        }
        if self.page < last {
            links.push(("next", self.page + 1));
            links.push(("last", last));
        }
        let links: Vec<String> = links
            .into_iter()
            .map(|(relation, page)| self.link(relation, ("page", page.to_string())))
            .collect();
        let begin = (self.page - 1).saturating_mul(self.per_page);
        let items = items.into_iter().skip(begin).take(self.per_page).collect();
        (items, (!links.is_empty()).then(|| links.join(", ")))
    }

    fn link(&self, relation: &str, (name, value): (&str, String)) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.others)
            .append_pair("per_page", &self.per_page.to_string())
            .append_pair(name, &value)
            .finish();
        format!("<{}?{query}>; rel=\"{relation}\"", self.address)
    }
}
