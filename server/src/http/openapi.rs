//! The API's description, which the handlers carry with them: `/api/openapi.json`, and as a page at `/api/docs`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        response::Response as Description,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{docs, error::ProblemBody};

/// Everything but the routes, which `router.rs` adds.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace",
        description = "Jobs on git repositories, their output while it is printed, and the lanes that they wait in.\n\n\
            Requests carry an API token, `Authorization: Bearer mr_…`, or the cookie of a signed-in browser. Every \
            `timestamp` and every field that ends with `_at` is in milliseconds since the epoch. Errors are problem+json \
            (RFC 9457); `code` is for programs, `detail` says what to do. Lists go from page to page by `next`, which is the \
            `cursor` of the following request under the same filter."
    ),
    modifiers(&Keys),
    components(schemas(ProblemBody)),
    security(("token" = []), ("session" = [])),
    tags(
        (name = "jobs", description = "What was asked for"),
        (name = "output", description = "What jobs printed, and print"),
        (name = "changes", description = "What agents changed"),
        (name = "lanes", description = "The queues, one for each kind of job"),
        (name = "agents", description = "The programs that work on prompts"),
        (name = "deliveries", description = "What GitHub told, and what came of it"),
        (name = "schedules", description = "Jobs that the clock makes"),
        (name = "sessions", description = "The browsers in which one is signed in"),
        (name = "tokens", description = "One's own API tokens"),
        (name = "operation", description = "How the server does"),
    )
)]
pub(super) struct Base;

/// How a request says who sends it.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token")).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKeyValue::with_description("millrace", "The session of a signed-in browser");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// The answer of every route when it does not do what was asked.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Description>> {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let refused = ResponseBuilder::new()
            .description("What is wrong, and what to do")
            .content("application/problem+json", problem)
            .build();
        BTreeMap::from([("default".to_owned(), refused.into())])
    }
}

/// The routes that tell the description.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(
    document: utoipa::openapi::OpenApi,
) -> anyhow::Result<Router<S>> {
    let page: Arc<str> = docs::page(&serde_json::to_value(&document)?).into();
    let document = Arc::new(document);
    Ok(Router::new()
        .route(
            "/api/openapi.json",
            get(move || std::future::ready(Json(Arc::clone(&document)).into_response())),
        )
        .route("/api/docs", get(move || std::future::ready(docs_page(&page)))))
}

fn docs_page(page: &Arc<str>) -> Response {
    let mut response = Html(page.to_string()).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
