//! The real application for a test: its own database, Redis prefix, directory and port, and verbs to use it with.

mod application;
mod browser;
mod ghost;
mod hub;
mod own;
mod process;
mod programs;
mod proxy;
mod redis;
mod repo;
mod requests;
mod stack;
mod stream;
pub mod visitor;
mod wait;

pub use self::{
    application::App,
    browser::{Browser, location},
    ghost::Ghost,
    hub::{Hub, ORCHARD, OWN, TOKEN},
    own::{OwnPostgres, OwnRedis},
    process::{Process, Said, children_with, is_alive, millrace, runs},
    proxy::Proxy,
    redis::{Authority, PASSWORD, RedisCluster, RedisNode},
    repo::Repo,
    stack::Stack,
    stream::{Event, EventStream, lines_of},
    wait::{Gate, LIMIT, eventually, until},
};

use app::model::{Line, Stream};

/// The lines of one stream as text.
pub fn texts(lines: &[Line], stream: Stream) -> Vec<&str> {
    lines.iter().filter(|line| line.stream == stream).map(|line| line.line.as_str()).collect()
}

/// Lines must be numbered from `first` on without a gap or a repeat.
#[track_caller]
pub fn assert_gapless(lines: &[Line], first: u64) {
    for (line, expected) in lines.iter().zip(first..) {
        assert_eq!(line.seq, expected, "a gap or a repeat at {:?}", line.line);
    }
}
