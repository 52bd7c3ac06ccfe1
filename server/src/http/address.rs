//! The address that a request comes from, through the proxies that the configuration trusts.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};

use crate::config::{Network, ServerConfig};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddress {
    pub(super) ip: IpAddr,
    /// It came over this machine alone, past no proxy.
    pub(super) is_local: bool,
}

/// Finds the address out and leaves it with the request.
pub(super) async fn find(
    State(config): State<Arc<ServerConfig>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    // Without a connection there is no request, except in a test of the router alone.
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    let address = client_address(peer, request.headers(), &config.trusted_proxies);
    request.extensions_mut().insert(address);
    next.run(request).await
}

/// Each proxy adds the address that it was asked from at the end of `X-Forwarded-For`. What stands before the last one that
/// no trusted proxy has is the client's own word, and worth nothing.
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> ClientAddress {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let is_forwarded = !hops.is_empty() || headers.contains_key("forwarded");
    let mut ip = peer;
    for hop in hops.iter().rev() {
        if !is_trusted(ip) {
            break;
        }
        let Ok(before) = hop.parse::<IpAddr>() else { break };
        ip = before.to_canonical();
    }
    ClientAddress { ip, is_local: ip.is_loopback() && !is_forwarded }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|value| ("x-forwarded-for".parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).ip.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(found("9.9.9.9", &["1.2.3.4"], &[]), "9.9.9.9");
        assert_eq!(found("9.9.9.9", &["1.2.3.4"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(found("10.1.1.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
        assert_eq!(found("127.0.0.1", &["1.2.3.4"], &["127.0.0.1"]), "1.2.3.4");
        assert_eq!(found("10.1.1.1", &[], &["10.0.0.0/8"]), "10.1.1.1");
    }

    #[test]
    fn what_the_client_wrote_in_front_counts_for_nothing() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(found("10.1.1.1", &["6.6.6.6, 1.2.3.4"], trusted), "1.2.3.4");
        assert_eq!(found("10.1.1.1", &["6.6.6.6", "1.2.3.4, 10.2.2.2"], trusted), "1.2.3.4");
        assert_eq!(found("10.1.1.1", &["6.6.6.6, nonsense"], trusted), "10.1.1.1");
        assert_eq!(found("fd00::1", &["2001:db8::7"], trusted), "2001:db8::7");
    }

    #[test]
    fn a_request_that_was_passed_on_is_not_local() {
        let mut headers = HeaderMap::new();
        let local =
            |headers: &HeaderMap| client_address(IpAddr::V4(Ipv4Addr::LOCALHOST), headers, &[]).is_local;
        assert!(local(&headers));
        headers.insert("forwarded", HeaderValue::from_static("for=1.2.3.4"));
        assert!(!local(&headers));
    }
}
