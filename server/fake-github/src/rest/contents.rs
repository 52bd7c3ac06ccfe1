//! Files, commits and comparisons, straight from the real git repository.

use std::path::Path as Folder;

use axum::{
    extract::{Path, Query},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, Reply, Shared, Spot, caller::Need};
use crate::{
    git,
    refusal::Refusal,
    world::{Outcome, State},
};

const READ: Need = Need::read(&["contents"]);

/// GitHub breaks a file's base64 into lines of this length.
const LINE: usize = 60;

#[derive(Deserialize)]
pub(super) struct At {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct FilePath {
    path: String,
}

/// Whether the `Accept` header names this medium: `raw` or `diff`.
pub(super) fn wants(headers: &HeaderMap, medium: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let medium = format!(".{medium}");
    accept
        .split([',', ';', '+'])
        .any(|part| part.trim().starts_with("application/vnd.github") && part.trim().ends_with(&medium))
}

pub(super) async fn root(
    world: Shared,
    caller: Caller,
    spot: Spot,
    at: Query<At>,
    headers: HeaderMap,
) -> Outcome<Response> {
    get(world, caller, spot, Path(FilePath { path: String::new() }), at, headers).await
}

/// A file with its content, or what lies in a folder.
pub(super) async fn get(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(FilePath { path }): Path<FilePath>,
    Query(At { reference }): Query<At>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let found = state.repository(&spot.repository)?;
    let bare = state.bare(&spot.repository);
    let reference = reference.unwrap_or_else(|| found.default_branch.clone());
    let missing = || Refusal::new(StatusCode::NOT_FOUND, format!("No commit found for the ref {reference}"));
    let commit = git::resolve(&bare, &reference).ok_or_else(missing)?;
    let path = path.trim_matches('/');
    let url = format!("{}/repos/{}", state.api_url(), found.full_name());
    let page = format!("{}/{}", state.url, found.full_name());
    let entry = |(kind, object, size, path): &(String, String, u64, String)| {
        json!({
            "type": match kind.as_str() { "blob" => "file", "tree" => "dir", _ => "submodule" },
            "name": path.rsplit('/').next(), "path": path, "sha": object, "size": size,
            "url": format!("{url}/contents/{path}?ref={reference}"),
            "html_url": format!("{page}/blob/{reference}/{path}"),
            "git_url": format!("{url}/git/{kind}s/{object}"), "download_url": null,
        })
    };
    let entries = git::entries(&bare, &commit, path);
    match entries.first() {
        Some((kind, object, ..)) if !path.is_empty() && kind == "blob" => {
            let content = git::blob(&bare, object)?;
            if wants(&headers, "raw") {
                return Ok(([(header::CONTENT_TYPE, "application/vnd.github.raw")], content).into_response());
            }
            let mut file = entry(&entries[0]);
            file["encoding"] = json!("base64");
            file["content"] = json!(in_lines(&STANDARD.encode(content)));
            Ok(Reply::ok(file).into_response())
        }
        None => Err(Refusal::not_found()),
        Some(_) => {
            let inside =
                if path.is_empty() { entries } else { git::entries(&bare, &commit, &format!("{path}/")) };
            Ok(Reply::ok(inside.iter().map(entry).collect()).into_response())
        }
    }
}

fn in_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    lines
}

#[derive(Deserialize)]
pub(super) struct Reference {
    reference: String,
}

pub(super) async fn commit(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Reference { reference }): Path<Reference>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let bare = state.bare(&spot.repository);
    let commit = git::commit_of(&bare, &reference)
        .ok_or_else(|| Refusal::unprocessable(&format!("No commit found for SHA: {reference}")))?;
    let parent = commit.parents.first().map_or(git::NOTHING, String::as_str);
    if wants(&headers, "diff") {
        return Ok(git::diff(&bare, parent, &commit.sha).into_response());
    }
    let mut rendered = render_commit(&state, &spot.repository, &commit);
    rendered["files"] = Value::Array(files(&bare, parent, &commit.sha));
    Ok(Reply::ok(rendered).into_response())
}

#[derive(Deserialize)]
pub(super) struct Range {
    range: String,
}

/// `BASE...HEAD`, each of which may be `OWNER:BRANCH`; what a fork has is seen once it has a pull request.
pub(super) async fn compare(
    world: Shared,
    caller: Caller,
    spot: Spot,
    Path(Range { range }): Path<Range>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let state = world.lock();
    caller.may(&state, &spot.repository, READ)?;
    let bare = state.bare(&spot.repository);
    let find = |name: &str| match name.split_once(':') {
        Some((owner, branch)) => {
            let repository = format!("{owner}/{}", state.repository(&spot.repository).ok()?.name);
            git::resolve(&state.bare(&repository), branch)
        }
        None => git::resolve(&bare, name),
    };
    let (base, head) = range.split_once("...").ok_or_else(Refusal::not_found)?;
    let base = find(base).ok_or_else(Refusal::not_found)?;
    let head = find(head).ok_or_else(Refusal::not_found)?;
    let from = git::merge_base(&bare, &base, &head).ok_or_else(Refusal::not_found)?;
    if wants(&headers, "diff") {
        return Ok(git::diff(&bare, &from, &head).into_response());
    }
    let ahead = git::count(&bare, &format!("{base}..{head}"));
    let behind = git::count(&bare, &format!("{head}..{base}"));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let commits = git::commits(&bare, &format!("{base}..{head}"));
    let one =
        |sha: &str| git::commit_of(&bare, sha).map(|commit| render_commit(&state, &spot.repository, &commit));
    Ok(Reply::ok(json!({
        "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead,
        "base_commit": one(&base), "merge_base_commit": one(&from),
        "commits": commits.iter().map(|commit| render_commit(&state, &spot.repository, commit)).collect::<Vec<_>>(),
        "files": files(&bare, &from, &head),
    }))
    .into_response())
}

pub(super) fn files(bare: &Folder, from: &str, to: &str) -> Vec<Value> {
    git::file_changes(bare, from, to)
        .into_iter()
        .map(|file| {
            json!({
                "filename": file.path, "status": file.status, "additions": file.additions,
                "deletions": file.deletions, "changes": file.additions + file.deletions, "patch": file.patch,
            })
        })
        .collect()
}

pub(super) fn render_commit(state: &State, repository: &str, commit: &git::Commit) -> Value {
    let person = json!({ "name": commit.name, "email": commit.email, "date": commit.date });
    let user = state.account(&commit.name).ok().map(|account| state.render_user(&account.login));
    let url = format!("{}/repos/{repository}/commits/{}", state.api_url(), commit.sha);
    json!({
        "sha": commit.sha, "node_id": format!("C_{}", commit.sha), "url": url,
        "html_url": format!("{}/{repository}/commit/{}", state.url, commit.sha),
        "commit": {
            "author": person, "committer": person, "message": commit.message, "tree": { "sha": commit.tree },
            "comment_count": 0, "verification": { "verified": false, "reason": "unsigned" },
        },
        "author": user, "committer": user,
        "parents": commit.parents.iter().map(|sha| json!({ "sha": sha })).collect::<Vec<_>>(),
    })
}
