//! A fake GitHub to try Millrace with: three people, one repository, one open issue.

use std::net::SocketAddr;

use clap::Parser;
use millrace_fake_github::{FakeGitHub, World};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about = "A GitHub in memory, for trying Millrace without an account")]
struct Arguments {
    /// Where it is to be reached.
    #[arg(long, default_value = "127.0.0.1:7180")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let github = FakeGitHub::start(Some(Arguments::parse().listen)).await?;
    arrange(github.world());
    println!("Fake GitHub: {}", github.url());
    // Its repositories go with it, whichever way it is told to stop.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

/// `ada` owns the orchard, `grace` may write there, and `eve` may do nothing.
fn arrange(world: &World) {
    for login in ["ada", "grace", "eve"] {
        world.add_user(login);
    }
    world.add_repository("ada/orchard");
    world.commit("ada/orchard", "main", "Count the harvest", &ORCHARD);
    world.set_permission("ada/orchard", "grace", "write");
    world.open_issue("ada/orchard", "grace", "An empty orchard should yield nothing", ISSUE);
}

const ISSUE: &str =
    "`harvest([])` fails with \"Reduce of empty array with no initial value\". It should say 0.";

const ORCHARD: [(&str, &str); 5] = [
    ("README.md", include_str!("orchard/README.md")),
    ("AGENTS.md", include_str!("orchard/AGENTS.md")),
    ("package.json", include_str!("orchard/package.json")),
    ("harvest.js", include_str!("orchard/harvest.js")),
    ("harvest.test.js", include_str!("orchard/harvest.test.js")),
];
