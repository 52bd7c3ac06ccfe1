//! The fake GitHub, asked as Millrace asks it: by HTTP and by git.

mod apps;
mod faults;
mod github;
mod pages;
mod pulls;
mod push;
mod sign_in;
mod webhooks;
