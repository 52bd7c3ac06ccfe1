//! Redis in the ways that people run it: with a password, with TLS, as a Cluster, watched by a Sentinel.

use std::{fs, net::TcpListener, process::Command};

use redis::{FromRedisValue, Value};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Process, wait::until};

/// What all of them ask for.
pub const PASSWORD: &str = "s3cret";

/// How long a server must be silent until its Sentinel takes it for dead, in milliseconds.
const DOWN_AFTER: &str = "500";

/// A Redis on a port of its own, at `127.0.0.1`.
pub struct RedisNode {
    process: Process,
    pub port: u16,
    _directory: TempDir,
}

impl RedisNode {
    /// Starts one with these settings, beside a port, a directory and the password.
    pub async fn start(settings: &[&str]) -> Self {
        Self::start_on(free_port(), settings, &[]).await
    }

    /// One that only takes connections with TLS, with a certificate that `authority` has signed.
    pub async fn start_tls(authority: &Authority) -> Self {
        let (certificate, key) = authority.sign();
        let port = free_port();
        let settings = [
            "port 0".to_owned(),
            format!("tls-port {port}"),
            format!("tls-cert-file {certificate}"),
            format!("tls-key-file {key}"),
            format!("tls-ca-cert-file {}", authority.certificate()),
            "tls-auth-clients no".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Self::start_on(port, &settings, &[]).await
    }

    /// A Sentinel that watches `master` under the name `main`.
    pub async fn start_sentinel(master: &Self) -> Self {
        let settings = [
            "sentinel resolve-hostnames no".to_owned(),
            format!("sentinel monitor main 127.0.0.1 {} 1", master.port),
            format!("sentinel auth-pass main {PASSWORD}"),
            format!("sentinel down-after-milliseconds main {DOWN_AFTER}"),
            "sentinel failover-timeout main 2000".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Self::start_on(free_port(), &settings, &["--sentinel"]).await
    }

    async fn start_on(port: u16, settings: &[&str], arguments: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("millrace-test-").tempdir().unwrap();
        let path = directory.path();
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", path.display()),
            "save \"\"".to_owned(),
            format!("requirepass {PASSWORD}"),
        ];
        lines.extend(settings.iter().map(|line| (*line).to_owned()));
        let file = path.join("redis.conf");
        fs::write(&file, lines.join("\n")).unwrap();
        let mut command = Command::new(millrace_stack::programs::redis().unwrap());
        command.arg(&file).args(arguments);
        let mut process = Process::start(command, path.join("redis.log"));
        until("Redis answers", async || {
            assert!(process.is_running(), "Redis has ended: {}", process.log());
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self { process, port, _directory: directory }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a command.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(format!("redis://:{PASSWORD}@{}", self.address())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}

/// A Cluster of three masters that share the slots.
pub struct RedisCluster(pub Vec<RedisNode>);

impl RedisCluster {
    pub async fn start() -> Self {
        const SLOTS: usize = 16_384;
        const NODES: usize = 3;
        let mut nodes = Vec::new();
        for index in 0..NODES {
            let bus = free_port();
            let bus_setting = format!("cluster-port {bus}");
            let node = RedisNode::start(&["cluster-enabled yes", &bus_setting]).await;
            let (first, last) = (index * SLOTS / NODES, (index + 1) * SLOTS / NODES - 1);
            let range = [first.to_string(), last.to_string()];
            node.ask::<Value>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await;
            node.ask::<Value>(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await;
            if let Some(known) = nodes.first() {
                let known: &RedisNode = known;
                known
                    .ask::<Value>(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &bus.to_string()])
                    .await;
            }
            nodes.push(node);
        }
        until("the nodes know each other", async || {
            for node in &nodes {
                let info: String = node.ask(&["CLUSTER", "INFO"]).await;
                if !(info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")) {
                    return false;
                }
            }
            true
        })
        .await;
        Self(nodes)
    }

    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.0.iter().map(RedisNode::address).collect();
        format!("redis+cluster://:{PASSWORD}@{}", addresses.join(","))
    }
}

/// Signs certificates for `127.0.0.1`, with the installed openssl.
pub struct Authority {
    directory: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self { directory: tempfile::tempdir().unwrap() };
        authority.openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        );
        authority
    }

    /// The file with its own certificate.
    pub fn certificate(&self) -> String {
        self.path("ca.pem")
    }

    /// The files with a certificate and its key.
    fn sign(&self) -> (String, String) {
        fs::write(self.path("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        self.openssl("req -newkey rsa:2048 -nodes -subj /CN=redis -keyout redis.key -out redis.csr");
        self.openssl(
            "x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out redis.pem",
        );
        (self.path("redis.pem"), self.path("redis.key"))
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
