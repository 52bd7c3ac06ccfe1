//! HTTP as a proxy speaks it: `CONNECT host:port` becomes a tunnel, `GET http://host/path` is passed on. `GET /path` is for the
//! agent's provider.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{CONNECTION, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::{Either, Full};
use hyper::{
    body::Incoming,
    client, server,
    service::service_fn,
    upgrade::{self, OnUpgrade},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::copy_bidirectional, net::UnixStream};

use super::{
    Ways,
    gate::{NoConnection, Upstream},
    provider::{NotAsked, Provider},
};
use crate::config::Endpoint;

type Answer = Response<Either<Full<Bytes>, Either<Incoming, reqwest::Body>>>;

/// How long the program may take from connecting until it has said what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// Headers between neighbours, which are not passed on.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What a connection becomes once `CONNECT` was answered.
struct Tunnel {
    program: OnUpgrade,
    upstream: Upstream,
}

/// Serves one connection of a program to its end.
pub(super) async fn serve(stream: UnixStream, ways: &Ways) {
    let tunnel = Mutex::new(None);
    let served = server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_LIMIT)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(async |request| Ok::<_, Infallible>(answer(request, ways, &tunnel).await)),
        )
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a program's connection to the proxy ended early");
    }
    let tunnel = tunnel.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(Tunnel { program, mut upstream }) = tunnel
        && let Ok(program) = program.await
    {
        // Whichever end breaks it: the other sees it closed.
        let _ = copy_bidirectional(&mut TokioIo::new(program), &mut upstream).await;
    }
}

async fn answer(mut request: Request<Incoming>, ways: &Ways, tunnel: &Mutex<Option<Tunnel>>) -> Answer {
    if let Some(provider) = ways.provider.as_ref().filter(|_| request.uri().authority().is_none()) {
        return ask(provider, request, ways).await;
    }
    let Some(wanted) = wanted(request.method(), request.uri()) else {
        return say(StatusCode::BAD_REQUEST, "this is a proxy: name the host with CONNECT or http://");
    };
    let upstream = match ways.gate.connect(&wanted).await {
        Ok(upstream) => upstream,
        Err(error @ NoConnection::Refused(_)) => {
            return say(StatusCode::FORBIDDEN, &format!("{error}. See [sandbox] in Leptos.toml"));
        }
        Err(error @ NoConnection::Failed(..)) => return say(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    if request.method() == Method::CONNECT {
        let program = upgrade::on(&mut request);
        *tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(Tunnel { program, upstream });
        return Response::new(Either::Left(Full::default()));
    }
    match pass_on(request, &wanted, upstream).await {
        Ok(response) => response.map(|body| Either::Right(Either::Left(body))),
        Err(error) => say(StatusCode::BAD_GATEWAY, &format!("{wanted} did not answer: {error}")),
    }
}

async fn ask(provider: &Provider, mut request: Request<Incoming>, ways: &Ways) -> Answer {
    // Codex asks for a WebSocket first, and with this answer goes on without one at once.
    if request.headers().contains_key(UPGRADE) {
        return say(StatusCode::UPGRADE_REQUIRED, "the agent's provider is asked with plain requests");
    }
    drop_hop_by_hop(request.headers_mut());
    match provider.ask(request, &ways.traffic).await {
        Ok(mut response) => {
            drop_hop_by_hop(response.headers_mut());
            response.map(|body| Either::Right(Either::Right(body)))
        }
        Err(error @ (NotAsked::Method(_) | NotAsked::Elsewhere(_) | NotAsked::Unsigned)) => {
            say(StatusCode::FORBIDDEN, &error.to_string())
        }
        Err(error @ NotAsked::Failed(_)) => say(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

fn wanted(method: &Method, uri: &Uri) -> Option<Endpoint> {
    let authority = uri.authority()?;
    let port = match uri.scheme_str() {
        None if *method == Method::CONNECT => authority.port_u16()?,
        Some("http") => authority.port_u16().unwrap_or(80),
        _ => return None,
    };
    Endpoint::new(authority.host(), port)
}

/// Asks the host itself, over a connection that is for this request alone.
async fn pass_on(
    mut request: Request<Incoming>,
    wanted: &Endpoint,
    upstream: Upstream,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(upstream)).await?;
    // It ends with the request's answer, or when that is dropped.
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = Uri::try_from(path).unwrap_or_else(|_| Uri::from_static("/"));
    *request.uri_mut() = path;
    drop_hop_by_hop(request.headers_mut());
    // The host that was looked at, whatever the program calls it.
    let host = if wanted.port() == 80 { wanted.host().to_owned() } else { wanted.to_string() };
    if let Ok(host) = HeaderValue::try_from(host) {
        request.headers_mut().insert(HOST, host);
    }
    let mut response = sender.send_request(request).await?;
    drop_hop_by_hop(response.headers_mut());
    Ok(response)
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // `Connection` names further ones.
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

fn say(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Either::Left(Full::from(format!("Millrace's sandbox: {text}.\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
