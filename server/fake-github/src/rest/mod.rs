//! The REST API below `/api/v3`: every route, and what all of them share.

mod apps;
mod caller;
mod checks;
mod contents;
mod hooks;
mod input;
mod issues;
mod paging;
mod pulls;
mod repositories;
mod users;

use std::sync::Arc;

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;

use crate::{limits, refusal::Refusal, world::World};
use caller::Caller;
use input::{Input, Spot};
use paging::Paging;

type Shared = axum::extract::State<Arc<World>>;
type Answer = Result<Reply, Refusal>;

/// An answer with a body in JSON.
struct Reply {
    status: StatusCode,
    body: Value,
    link: Option<String>,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body, link: None }
    }

    fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    fn accepted() -> Self {
        Self { status: StatusCode::ACCEPTED, ..Self::ok(serde_json::json!({})) }
    }

    fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::ok(Value::Null) }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NO_CONTENT {
            return self.status.into_response();
        }
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(link) = self.link.and_then(|link| link.parse().ok()) {
            response.headers_mut().insert("link", link);
        }
        response
    }
}

pub(crate) fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let repository = Router::new()
        .route("/installation", get(apps::repository_installation))
        .route("/collaborators/{login}/permission", get(repositories::permission))
        .route("/branches/{*branch}", get(repositories::branch))
        .route("/labels", get(repositories::labels).post(repositories::add_label))
        .route("/issues", get(issues::list).post(issues::open))
        .route("/issues/{number}", get(issues::get).patch(issues::change))
        .route("/issues/{number}/comments", get(issues::comments).post(issues::comment))
        .route("/issues/{number}/labels", get(issues::labels).post(issues::add_labels))
        .route("/issues/{number}/reactions", get(issues::reactions).post(issues::react))
        .route(
            "/issues/comments/{id}",
            get(issues::get_comment).patch(issues::edit_comment).delete(issues::delete_comment),
        )
        .route(
            "/issues/comments/{id}/reactions",
            get(issues::comment_reactions).post(issues::react_to_comment),
        )
        .route("/pulls", get(pulls::list).post(pulls::open))
        .route("/pulls/{number}", get(pulls::get).patch(pulls::change))
        .route("/pulls/{number}/merge", axum::routing::put(pulls::merge))
        .route("/pulls/{number}/files", get(pulls::files))
        .route("/pulls/{number}/commits", get(pulls::commits))
        .route("/pulls/{number}/comments", get(pulls::comments))
        .route("/pulls/{number}/reviews", get(pulls::reviews))
        .route("/pulls/comments/{id}/reactions", get(pulls::comment_reactions).post(pulls::react))
        .route("/check-runs", post(checks::create))
        .route("/check-runs/{id}", get(checks::get).patch(checks::change))
        .route("/check-runs/{id}/annotations", get(checks::annotations))
        .route("/commits/{reference}/check-runs", get(checks::of_commit))
        .route("/commits/{reference}", get(contents::commit))
        .route("/compare/{range}", get(contents::compare))
        .route("/contents", get(contents::root))
        .route("/contents/", get(contents::root))
        .route("/contents/{*path}", get(contents::get))
        .route("/hooks", get(hooks::list).post(hooks::create))
        .route("/hooks/{id}/deliveries", get(hooks::deliveries))
        .route("/hooks/{id}/deliveries/{delivery}", get(hooks::delivery))
        .route("/hooks/{id}/deliveries/{delivery}/attempts", post(hooks::redeliver));
    Router::new()
        .route("/rate_limit", get(rate_limit))
        .route("/user", get(users::me))
        .route("/user/orgs", get(users::my_orgs))
        .route("/user/memberships/orgs/{org}", get(users::my_membership))
        .route("/users/{login}", get(users::get))
        .route("/orgs/{org}/members/{login}", get(users::is_member))
        .route("/orgs/{org}/teams/{slug}/memberships/{login}", get(users::team_membership))
        .route("/orgs/{org}/hooks", get(hooks::list_of_organization))
        .route("/orgs/{org}/hooks/{id}/deliveries", get(hooks::deliveries_of_organization))
        .route(
            "/orgs/{org}/hooks/{id}/deliveries/{delivery}/attempts",
            post(hooks::redeliver_of_organization),
        )
        .route("/app", get(apps::get))
        .route("/app-manifests/{code}/conversions", post(apps::convert_manifest))
        .route("/app/installations", get(apps::installations))
        .route("/app/installations/{id}", get(apps::installation))
        .route("/app/installations/{id}/access_tokens", post(apps::create_token))
        .route("/app/hook/config", get(apps::hook_config).patch(apps::change_hook_config))
        .route("/app/hook/deliveries", get(apps::deliveries))
        .route("/app/hook/deliveries/{id}", get(apps::delivery))
        .route("/app/hook/deliveries/{id}/attempts", post(apps::redeliver))
        .route("/installation/repositories", get(apps::installation_repositories))
        .route("/repos/{owner}/{name}", get(repositories::get))
        .nest("/repos/{owner}/{name}", repository)
        .fallback(|| async { Refusal::not_found() })
        .layer(middleware::from_fn_with_state(Arc::clone(world), repositories::lead_on))
        .layer(middleware::from_fn_with_state(Arc::clone(world), limits::count))
}

async fn rate_limit(world: Shared, headers: HeaderMap) -> Json<Value> {
    Json(world.lock().limits.render(limits::token(&headers)))
}
