//! How what an agent has left is committed, where it ran.

use std::{fs, process::Command};

use millrace::runner::publish::{Collect, Message};

use super::Cell;
use crate::harness::Repo;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// As a line of the shell.
fn line(collect: &Collect) -> String {
    let text = |text: &std::ffi::OsString| quoted(text.to_str().unwrap());
    let environment =
        collect.environment.iter().map(|(name, value)| format!("{}={}", name.to_str().unwrap(), text(value)));
    let words = [&collect.program].into_iter().chain(&collect.arguments).map(text);
    let words: Vec<String> = ["env".to_owned()].into_iter().chain(environment).chain(words).collect();
    words.join(" ")
}

#[tokio::test]
async fn what_has_not_changed_is_not_stored_again() {
    let mut cell = Cell::new().await;
    let origin = Repo::new(cell.outside().join("origin"));
    for number in 0..50 {
        fs::write(cell.outside().join(format!("origin/{number}.txt")), format!("file {number}")).unwrap();
    }
    let base = origin.commit("last.txt", "the last one");
    // As the attempt's checkout: of the machine's user, and with borrowed objects that nobody in the sandbox may touch.
    let objects = cell.outside().join("origin/.git/objects");
    let clone = ["clone", "--quiet", "--shared", &origin.address(), "."];
    assert!(Command::new("git").args(clone).current_dir(cell.tree()).status().unwrap().success());
    cell.show(&objects);
    fs::write(cell.tree().join("0.txt"), "changed").unwrap();

    let author = "Millrace <millrace@localhost>".parse().unwrap();
    let message = Message { subject: "Change", summary: None, co_author: None, link: "http://mill/jobs/1" };
    let ran = cell.run(&format!("{} > bundle", line(&Collect::new(&base, &author, &message, &[])))).await;

    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let stored = cell.prints(r"find .git/objects -type f | grep -c '/[0-9a-f]\{38\}$'").await;
    // The changed file, one more that the shell has made for the output, their directory, and the commit.
    assert_eq!(stored, "4");
}
