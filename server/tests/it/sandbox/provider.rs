//! How a program asks the provider of its model, without the key.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
    routing::any,
};
use millrace::runner::sandbox::{KeptKey, Provider};
use tokio::net::TcpListener;

use super::Cell;

const STAND_IN: &str = "a-stand-in";
const KEY: &str = "the-key-itself";

/// A provider that answers with what it was asked, below the path `/of/us`.
async fn asking(cell: &mut Cell) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/of/us/", listener.local_addr().unwrap());
    let router = Router::new().fallback(any(async |uri: Uri, headers: HeaderMap, body: Bytes| {
        if uri.path().ends_with("/elsewhere") {
            return (StatusCode::FOUND, [("location", "http://evil.example/"), ("x-goog-api-key", KEY)])
                .into_response();
        }
        format!("{uri}\n{headers:?}\n{}", String::from_utf8_lossy(&body)).into_response()
    }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let keys = vec![KeptKey { stand_in: STAND_IN.to_owned(), key: KEY.into() }];
    cell.ask(Provider::new(Provider::client().unwrap(), address.parse().unwrap(), keys));
}

async fn answer(cell: &Cell, target: &str, headers: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let lines: String =
        headers.iter().chain(&[length.as_str()]).map(|header| format!("{header}\\r\\n")).collect();
    let request =
        format!("POST {target} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n{lines}\\r\\n{body}");
    cell.prints(&format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '%b' '{request}' >&3; cat <&3")).await
}

#[tokio::test]
async fn the_key_is_put_in_on_the_way_out() {
    let mut cell = Cell::new().await;
    asking(&mut cell).await;

    for (given, arrives) in [
        (format!("Authorization: Bearer {STAND_IN}"), format!("\"authorization\": \"Bearer {KEY}\"")),
        (format!("X-Api-Key: {STAND_IN}"), format!("\"x-api-key\": \"{KEY}\"")),
        (format!("x-goog-api-key: {STAND_IN}"), format!("\"x-goog-api-key\": \"{KEY}\"")),
    ] {
        let said =
            answer(&cell, "/of/us/v1/messages?beta=true", &[&given, "x-own: kept"], "the question").await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        assert!(said.contains("/of/us/v1/messages?beta=true\n") && said.ends_with("the question"), "{said}");
        assert!(said.contains("\"x-own\": \"kept\""), "{said}");
        assert!(said.contains(&arrives) && !said.contains(STAND_IN), "{said}");
    }
    let ran = cell.run("env").await;
    assert!(!ran.stdout.contains(KEY));
}

#[tokio::test]
async fn who_has_no_stand_in_or_a_key_of_their_own_is_not_let_through_with_it() {
    let mut cell = Cell::new().await;
    asking(&mut cell).await;
    let signed = format!("x-api-key: {STAND_IN}");

    let both = format!("Authorization: Bearer sk-of-a-stranger, Bearer {STAND_IN}");
    let other = format!("x-own: {STAND_IN}");
    for headers in [&[][..], &["Authorization: Bearer sk-of-a-stranger"], &[&both], &[&other]] {
        let said = answer(&cell, "/of/us/v1/files", headers, "what it would carry away").await;
        assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    }
    let theirs = [&signed, "Authorization: Bearer sk-of-a-stranger", "Cookie: session=strange"];
    let said = answer(
        &cell,
        "/of/us/v1/files?key=strange&%6bey=strange&%24key=strange&alt=sse&access_token=strange",
        &theirs,
        "",
    )
    .await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("/of/us/v1/files?alt=sse\n"), "{said}");
    assert!(said.contains(KEY) && !said.contains("strange"), "{said}");
}

#[tokio::test]
async fn only_what_lies_below_the_providers_address_is_asked_for() {
    let mut cell = Cell::new().await;
    asking(&mut cell).await;
    let signed = format!("x-api-key: {STAND_IN}");

    for target in ["/", "/of/users", "/of/us/../them", "/of/us/%2e%2e/them", "//evil.example/of/us"] {
        let said = answer(&cell, target, &[&signed], "").await;
        assert!(said.starts_with("HTTP/1.1 403 "), "{target}: {said}");
    }
    // The key is for nobody else.
    let said = answer(&cell, "/of/us/elsewhere", &[&signed], "").await;
    assert!(said.starts_with("HTTP/1.1 302 ") && !said.contains(KEY), "{said}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_without_its_address() {
    let mut cell = Cell::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = vec![KeptKey { stand_in: STAND_IN.to_owned(), key: KEY.into() }];
    let address = format!("http://user:password@{nobody}/");
    cell.ask(Provider::new(Provider::client().unwrap(), address.parse().unwrap(), keys));

    let said = answer(&cell, "/v1", &[&format!("x-api-key: {STAND_IN}")], "").await;

    assert!(said.starts_with("HTTP/1.1 502 ") && !said.contains("password"), "{said}");
}
