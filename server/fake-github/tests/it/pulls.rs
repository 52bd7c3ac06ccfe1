//! Pull requests, comments and files, by the API.

use serde_json::{Value, json};

use crate::github::{REPOSITORY, api, get, github, post_json};

#[tokio::test]
async fn a_branch_has_one_open_pull_request() {
    let github = github().await;
    github.world().commit(REPOSITORY, "pears", "Add pears", &[("pears.txt", "Conference\n")]);
    let new = json!({ "title": "Pears", "head": "pears", "base": "main", "body": "More fruit" });
    let opened = post_json(&github, "/repos/ada/orchard/pulls", "ada-token", new.clone()).await;
    assert_eq!(opened.status(), 201);
    let opened: Value = opened.json().await.unwrap();
    assert_eq!((&opened["changed_files"], &opened["additions"]), (&json!(1), &json!(1)));

    let again = post_json(&github, "/repos/ada/orchard/pulls", "ada-token", new).await;
    assert_eq!(again.status(), 422);
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["errors"][0]["message"], "A pull request already exists for ada:pears.");
    let listed = get(&github, "/repos/ada/orchard/pulls?head=ada:pears&state=open&base=main", "").await;
    assert_eq!(listed.json::<Value>().await.unwrap()[0]["number"], 1);
    let other = get(&github, "/repos/ada/orchard/pulls?head=ada:plums", "").await;
    assert_eq!(other.json::<Value>().await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_branch_without_commits_of_its_own_makes_no_pull_request() {
    let github = github().await;
    let new = json!({ "title": "Nothing", "head": "main", "base": "main" });
    let answer = post_json(&github, "/repos/ada/orchard/pulls", "ada-token", new).await;
    assert_eq!(answer.status(), 422);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["errors"][0]["message"], "No commits between main and main");
}

#[tokio::test]
async fn a_comment_is_edited_in_place_and_liked_once() {
    let github = github().await;
    let number = github.world().open_issue(REPOSITORY, "ada", "Apples", "");
    let path = format!("/repos/ada/orchard/issues/{number}/comments");
    let comment: Value =
        post_json(&github, &path, "ada-token", json!({ "body": "One" })).await.json().await.unwrap();
    let path = format!("/repos/ada/orchard/issues/comments/{}", comment["id"]);
    api(&github, reqwest::Method::PATCH, &path, "ada-token")
        .json(&json!({ "body": "Two" }))
        .send()
        .await
        .unwrap();
    for status in [201, 200] {
        let reacted =
            post_json(&github, &format!("{path}/reactions"), "ada-token", json!({ "content": "eyes" })).await;
        assert_eq!(reacted.status(), status);
    }
    let comments = github.world().comments(REPOSITORY, number);
    assert_eq!((comments.len(), comments[0].body.as_str(), comments[0].edits), (1, "Two", 1));
    assert_eq!(github.world().reactions(REPOSITORY, comments[0].id).len(), 1);
}

#[tokio::test]
async fn files_and_comparisons_come_from_the_real_repository() {
    let github = github().await;
    let base = github.world().branch(REPOSITORY, "main").unwrap();
    github.world().commit(REPOSITORY, "main", "Add a guide", &[("docs/guide.md", "# Guide\n")]);
    let raw = api(&github, reqwest::Method::GET, "/repos/ada/orchard/contents/docs/guide.md?ref=main", "")
        .header("accept", "application/vnd.github.raw+json");
    assert_eq!(raw.send().await.unwrap().text().await.unwrap(), "# Guide\n");
    let folder: Value = get(&github, "/repos/ada/orchard/contents/docs", "").await.json().await.unwrap();
    assert_eq!(folder[0]["path"], "docs/guide.md");
    let compared = get(&github, &format!("/repos/ada/orchard/compare/{base}...main"), "").await;
    let compared: Value = compared.json().await.unwrap();
    assert_eq!((&compared["status"], &compared["ahead_by"]), (&json!("ahead"), &json!(1)));
    assert_eq!(
        (&compared["files"][0]["filename"], &compared["files"][0]["status"]),
        (&json!("docs/guide.md"), &json!("added"))
    );
    let first = get(&github, &format!("/repos/ada/orchard/commits/{base}"), "").await;
    assert_eq!(first.json::<Value>().await.unwrap()["files"][0]["filename"], "README.md");
    assert_eq!(get(&github, "/repos/ada/orchard/contents/none.md", "").await.status(), 404);
}

#[tokio::test]
async fn a_list_leads_from_page_to_page() {
    let github = github().await;
    for title in ["One", "Two", "Three"] {
        github.world().open_issue(REPOSITORY, "ada", title, "");
    }
    let page = get(&github, "/repos/ada/orchard/issues?per_page=2&state=all", "").await;
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    assert!(
        link.contains("rel=\"next\"") && link.contains("rel=\"last\"") && link.contains("state=all"),
        "{link}"
    );
    assert_eq!(page.json::<Vec<Value>>().await.unwrap().len(), 2);
    let last = get(&github, "/repos/ada/orchard/issues?per_page=2&page=2&state=all", "").await;
    assert_eq!(last.json::<Vec<Value>>().await.unwrap().len(), 1);
}

#[tokio::test]
async fn permissions_are_told_to_those_who_may_push() {
    let github = github().await;
    github.world().set_permission(REPOSITORY, "grace", "maintain");
    github.world().add_token("grace", "grace-token");
    github.world().add_token("eve", "eve-token");
    let path = "/repos/ada/orchard/collaborators/grace/permission";
    let answer: Value = get(&github, path, "ada-token").await.json().await.unwrap();
    assert_eq!((&answer["permission"], &answer["role_name"]), (&json!("write"), &json!("maintain")));
    assert_eq!(get(&github, path, "eve-token").await.status(), 403);
    github.world().make_private(REPOSITORY);
    assert_eq!(get(&github, "/repos/ada/orchard", "eve-token").await.status(), 404);
    assert_eq!(get(&github, "/repos/ada/orchard", "nobody's").await.status(), 401);
}

#[tokio::test]
async fn organisations_and_teams_know_their_members() {
    let github = github().await;
    github.world().add_team("mill", "wheel", &["ada"]);
    github.world().add_org("mill", &["grace"]);
    assert_eq!(get(&github, "/orgs/mill/members/grace", "ada-token").await.status(), 204);
    assert_eq!(get(&github, "/orgs/mill/members/eve", "ada-token").await.status(), 404);
    assert_eq!(get(&github, "/orgs/mill/teams/wheel/memberships/ada", "ada-token").await.status(), 200);
    assert_eq!(get(&github, "/orgs/mill/teams/wheel/memberships/grace", "ada-token").await.status(), 404);
    let orgs: Value = get(&github, "/user/orgs", "ada-token").await.json().await.unwrap();
    assert_eq!(orgs[0]["login"], "mill");
}
