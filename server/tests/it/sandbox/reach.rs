//! What a program reaches over the network, and what it does not.

use std::net::{SocketAddr, TcpListener as StdListener};

use axum::{Router, routing::get};
use millrace::runner::sandbox::RefusalReason;
use tokio::net::TcpListener;

use super::Cell;

/// Asks the proxy for a tunnel and prints the first line of its answer.
fn connect(to: &str) -> String {
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT {to} HTTP/1.1\\r\\nHost: {to}\\r\\n\\r\\n' >&3; head -n 1 <&3 | tr -d '\\r'"
    )
}

/// A server of the machine that says hello.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(async || "hello"));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

#[tokio::test]
async fn ports_of_the_machine_are_reached_neither_directly_nor_through_the_proxy() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cell = Cell::new().await;

    let said = cell.fails(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}")).await;
    assert!(said.contains("Connection refused"), "{said}");
    let said = cell.fails(&format!("exec 3<>/dev/tcp/::1/{port}")).await;
    assert!(said.contains("Connection refused"), "{said}");
    let ran = cell.run(&connect(&format!("127.0.0.1:{port}"))).await;
    assert_eq!(ran.stdout, "HTTP/1.1 403 Forbidden");
    assert_eq!(
        ran.refusals[0].to_string(),
        format!("127.0.0.1:{port} was refused: it is not on the list of allowed hosts")
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has come through");
}

#[tokio::test]
async fn an_allowed_name_that_leads_inside_is_refused_however_it_is_written() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hosts = [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ];
    let allow: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
    let cell = Cell::with(&[("allow", &allow.join(","))]).await;

    for endpoint in &allow {
        let ran = cell.run(&connect(endpoint)).await;
        assert_eq!(ran.stdout, "HTTP/1.1 403 Forbidden", "{endpoint}");
        let reason = ran.refusals[0].reason;
        assert!(matches!(reason, RefusalReason::Private(_)), "{endpoint}: {reason}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has come through");
}

#[tokio::test]
async fn metadata_addresses_are_refused_even_where_every_host_is_allowed() {
    let cell = Cell::with(&[("allow", "*")]).await;

    for endpoint in ["169.254.169.254:80", "[fd00:ec2::254]:80", "168.63.129.16:80", "10.0.0.1:443"] {
        let ran = cell.run(&connect(endpoint)).await;
        assert_eq!(ran.stdout, "HTTP/1.1 403 Forbidden", "{endpoint}");
    }
    let said = cell.fails("exec 3<>/dev/tcp/169.254.169.254/80").await;
    assert!(said.contains("Network is unreachable"), "{said}");
}

#[tokio::test]
async fn there_is_no_other_way_out() {
    let cell = Cell::new().await;

    for address in ["203.0.113.1", "2001:db8::1"] {
        let said = cell.fails(&format!("exec 3<>/dev/tcp/{address}/443")).await;
        assert!(said.contains("unreachable"), "{address}: {said}");
        let said = cell.fails(&format!("echo question > /dev/udp/{address}/53")).await;
        assert!(said.contains("unreachable"), "{address}: {said}");
    }
    assert_eq!(cell.fails("getent hosts example.com").await, "", "names mean nothing");
    assert_eq!(
        cell.prints("ls /sys/class/net 2>/dev/null; cut -d: -f1 -s /proc/net/dev | tr -d ' '").await,
        "lo"
    );
}

#[tokio::test]
async fn a_refused_host_is_told_once() {
    let cell = Cell::new().await;

    let ask = connect("not-allowed.example:443");
    let ran = cell.run(&format!("({ask}); ({ask}); ({})", connect("Not-Allowed.example.:443"))).await;

    assert_eq!(ran.stdout.lines().count(), 3);
    assert_eq!(ran.refusals.len(), 1, "{:?}", ran.refusals);
}

#[tokio::test]
async fn a_server_that_the_configuration_names_is_reached_through_the_proxy() {
    let address = server().await.to_string();
    let cell = Cell::with(&[("allow_private", &address)]).await;
    let request = format!("GET / HTTP/1.1\\r\\nHost: {address}\\r\\nConnection: close\\r\\n\\r\\n");

    let tunnel = format!(
        "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT {address} HTTP/1.1\\r\\n\\r\\n{request}' >&3; cat <&3"
    );
    let ran = cell.run(&tunnel).await;
    assert!(ran.stdout.starts_with("HTTP/1.1 200 OK") && ran.stdout.ends_with("hello"), "{}", ran.stdout);
    assert!(ran.findings.traffic.sent > 0 && ran.findings.traffic.received > 0, "{:?}", ran.findings.traffic);

    let plain = request.replace("GET /", &format!("GET http://{address}/"));
    let answer =
        cell.prints(&format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{plain}' >&3; cat <&3")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_server_on_the_machines_loopback_that_the_configuration_names_is_on_the_sandboxs_too() {
    let address = server().await;
    let cell = Cell::with(&[("allow_private", &address.to_string())]).await;

    let answer = cell
        .prints(&format!(
            "exec 3<>/dev/tcp/127.0.0.1/{}; printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3",
            address.port()
        ))
        .await;

    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_told_so() {
    let cell = Cell::new().await;

    let answer = cell
        .prints("exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3")
        .await;

    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("this is a proxy: name the host with CONNECT or http://."), "{answer}");
}

#[tokio::test]
async fn a_program_finds_its_workplace_where_it_may_write() {
    let cell = Cell::new().await;

    let said = cell.prints("echo a > tree; echo b > ~/home; echo c > $TMPDIR/tmp; echo $PWD $HOME $TMPDIR; cat tree ~/home /tmp/tmp").await;

    assert_eq!(said, "/workspace /home/millrace /tmp\na\nb\nc");
    assert_eq!(std::fs::read_to_string(cell.tree().join("tree")).unwrap(), "a\n");
}

#[tokio::test]
async fn without_the_sandbox_a_program_runs_in_its_workplace_with_its_environment_alone() {
    let cell = Cell::with(&[("mode", "off")]).await;

    let ran = cell.run("echo $GIVEN; test \"$PWD\" -ef . && echo $CARGO").await;

    assert_eq!((ran.stdout.as_str(), ran.code), ("to the program", Some(0)));
}
