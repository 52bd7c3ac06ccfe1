//! The command line as a client of a Millrace server, this machine's or another one: HTTP and nothing else.

mod api;
mod jobs;
mod lanes;
mod logs;
mod place;
mod submit;
mod text;

pub use self::{
    api::{Api, ClientError},
    jobs::{Command, change, list, show},
    lanes::{pause, resume},
    logs::{Which, logs},
    place::{LocalAccess, Place},
    submit::{After, submit},
};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: aligned, with colours where the terminal shows them.
    Text,
    /// For programs: the API's own JSON, one document an answer.
    Json,
}
