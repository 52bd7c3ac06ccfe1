//! Repositories that try to run something on the machine while it checks them out.

use std::{fs, os::unix::fs::PermissionsExt as _};

use app::model::JobState;

use crate::harness::App;

#[tokio::test]
async fn hooks_filters_submodules_and_monitors_of_a_repository_run_nothing_on_the_machine() {
    let app = App::start().await;
    let marker = app.path().join("ran");
    let run = format!("touch '{}'", marker.display());
    // The person who runs the runner has such settings for their own work.
    let home = app.path().join("home");
    let hooks = home.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "fsmonitor"] {
        fs::write(hooks.join(hook), format!("#!/bin/sh\n{run}\n")).unwrap();
        fs::set_permissions(hooks.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let hooks = hooks.display();
    fs::write(
        home.join(".gitconfig"),
        format!(
            "[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/fsmonitor\n[filter \"evil\"]\nsmudge = \"{run}; cat\"\n\
             process = \"{run}\"\n[submodule]\nrecurse = true\n[protocol]\nallow = always\n"
        ),
    )
    .unwrap();
    app.repo.commit(".gitattributes", "* filter=evil\n");
    app.repo.commit(
        ".gitmodules",
        &format!(
            "[submodule \"x\"]\npath = sub\nurl = ext::sh -c {}\nupdate = checkout\n",
            run.replace(' ', "% ")
        ),
    );
    app.repo.commit("bare/HEAD", "ref: refs/heads/main\n");
    app.repo.commit("bare/config", &format!("[core]\nbare = true\nfsmonitor = \"{run}\"\n"));
    let head = app.repo.head();
    app.repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    app.repo.git(&["commit", "--quiet", "--message", "submodule"]);
    let _runner = app.runner_process(&[("HOME", home.to_str().unwrap())]);

    let job = app.run("cat README.md").await.job;

    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
    assert!(!marker.exists(), "something of the repository ran on the machine");
}

#[tokio::test]
async fn a_repository_with_a_dangerous_name_in_a_tree_is_not_fetched() {
    let app = App::start().await;
    let _runner = app.runner().await;
    let blob = app.repo.git(&["hash-object", "-w", "README.md"]);
    let tree = app.repo.tree(&format!("100644 blob {blob}\t.GIT\n"));
    let commit = app.repo.git(&["commit-tree", &tree, "-m", "evil", "-p", "HEAD"]);
    app.repo.git(&["update-ref", "refs/heads/evil", &commit]);

    let job = app.run("true").await.job;

    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.unwrap().contains("could not be fetched"));
}
