//! Cheap proofs that the house stays clean.

use anyhow::{Result, ensure};

use crate::command::{self, FRONTEND, cargo};
use crate::setup::wasm::TARGET;

/// What belongs to the server, with everything whose name begins like it.
const SERVER_ONLY: &[&str] = &["axum", "hyper", "redis", "sqlx", "tokio"];

/// Proves that nothing of the server reaches the browser.
pub(crate) fn browser_dependencies() -> Result<()> {
    let tree = command::answer(cargo().arg("tree").args(FRONTEND).args([
        "--target",
        TARGET,
        "--edges=normal,no-proc-macro",
        "--prefix=none",
        "--format={p}",
    ]))?;
    let found = server_only(&tree);
    ensure!(
        found.is_empty(),
        "the browser would download code of the server: {}. See where it comes from: \
         cargo tree --package millrace-frontend --target {TARGET} --invert {}",
        found.join(", "),
        found[0]
    );
    Ok(())
}

/// The packages in the output of `cargo tree` that only the server may use.
fn server_only(tree: &str) -> Vec<&str> {
    let mut found: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|package| {
            SERVER_ONLY.iter().any(|name| {
                package.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::server_only;

    #[test]
    fn a_server_crate_in_the_browser_is_found_once() {
        let tree = "millrace-frontend v0.1.0 (/home/me/millrace/frontend)\nleptos v0.8.23\n\
                    sqlx-core v0.9.0\nsqlx v0.9.0\nsqlx v0.9.0 (*)\ntokio v1.54.0\n";
        assert_eq!(server_only(tree), ["sqlx", "sqlx-core", "tokio"]);
    }

    #[test]
    fn a_name_that_only_begins_alike_is_no_server_crate() {
        assert!(server_only("redistribute v1.0.0\naxumatic v0.1.0\n").is_empty());
    }
}
