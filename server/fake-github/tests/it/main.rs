//! The fake GitHub, asked as Millrace asks it: by HTTP and by git.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod apps;
mod faults;
mod github;
mod pages;
mod pulls;
mod push;
mod sign_in;
mod webhooks;
