//! What GitHub tells: every verdict, who may ask, and that one delivery makes one job whatever happens.

mod arriving;
mod asking;
mod ledger;
mod missed;
mod pulls;
mod threads;
mod trouble;
mod who;

use serde_json::{Value, json};

use crate::harness::ORCHARD;

fn comment_event(id: u64, author: &str, body: &str) -> Value {
    json!({
        "action": "created",
        "repository": { "full_name": ORCHARD, "default_branch": "main" },
        "sender": { "id": 4711, "login": author, "type": "User" },
        "issue": { "number": 1, "title": "t", "body": "b", "user": { "id": 1, "login": "ada" }, "comments": 0 },
        "comment": { "id": id, "body": body, "user": { "id": 4711, "login": author } },
    })
}
