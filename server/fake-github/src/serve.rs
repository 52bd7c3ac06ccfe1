//! Takes connections and answers requests, or cuts them off where a fault says so.

use std::sync::Arc;

use axum::{Router, body::Body, extract::DefaultBodyLimit, response::Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt as _;

use crate::{
    faults::{Fate, Request},
    git_http, manifest, oauth, pages, rest,
    world::World,
};

/// A connection that ends without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    let router = Router::new()
        .nest("/api/v3", rest::router(&world))
        .merge(oauth::router())
        .merge(manifest::router())
        .merge(git_http::router())
        .merge(pages::router())
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(&world));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        if world.is_away() {
            continue;
        }
        let (world, router) = (Arc::clone(&world), router.clone());
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                answer(Arc::clone(&world), router.clone(), request)
            });
            // A connection that broke is the other side's to notice.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    world: Arc<World>,
    router: Router,
    request: hyper::Request<Incoming>,
) -> Result<Response, Cut> {
    let asked = Request {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
    };
    let fate = world.faults.fate(asked);
    match fate {
        Fate::Away => return Err(Cut),
        Fate::Refused(response) => return Ok(response),
        Fate::Answered | Fate::Dropped | Fate::Held => {}
    }
    let response = match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    match fate {
        Fate::Dropped => Err(Cut),
        Fate::Held => std::future::pending().await,
        _ => Ok(response),
    }
}
